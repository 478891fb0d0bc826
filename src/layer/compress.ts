/**
 * Makes the compressed blob of a layer, on all cores: the tar is cut into ranges, workers squeeze them (compress-range.ts),
 * and here they are put together in order, hashed and written. The result is gzip members, or zstd frames; it is the same for
 * any number of workers.
 */
import { createDirectFile, type DirectFile, type OnWritten } from '../host/direct-file.ts';
import { diskError } from '../host/disk-error.ts';
import { createHasher, type Expected } from '../host/hash-stream.ts';
import type { Workers } from '../host/workers.ts';
import { type CompressedRange, type RangeRequest, rangeMemory } from './compress-range.ts';

export interface CompressRequest {
  readonly layer: { readonly tar: string; readonly size: number };
  readonly format: 'gzip' | 'zstd';
  /** The file to be written; must not exist. After an error it is the caller's to remove. */
  readonly target: string;
  readonly level?: number | undefined;
}

export interface CompressOptions {
  readonly workers: Workers;
  /** Ranges in work at once; more than there are threads, so that none waits. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
  /** Bytes of the tar done so far. */
  readonly onProgress?: (current: number) => void;
  /** Of the blob. */
  readonly onWritten?: OnWritten;
}

export const COMPRESS_TASK = 'layer.compress';

/** Smaller ranges cost messages, larger ones memory; zstd cannot look back beyond its range. */
const RANGE_BYTES = { gzip: 1024 * 1024, zstd: 4 * 1024 * 1024 };

/** Digest and size of the blob. @throws TsbuildError `DISK_FULL`, `STORE`, `UNSUPPORTED_HOST` for zstd on old Nodes. */
export async function compressLayer(
  request: CompressRequest,
  options: CompressOptions,
): Promise<Expected> {
  const { target } = request;
  // Who takes the blob while it is made may be slower, and a thread takes as long to start as it needs for some ranges.
  using _threads = options.workers.hold();
  await using file = createTarget(target, options.onWritten);
  const hasher = createHasher();
  try {
    let done = 0;
    for await (const range of compressedRanges(request, options)) {
      const written = file.write(range.bytes);
      hasher.update(range.bytes);
      await written;
      done += range.plainSize;
      options.onProgress?.(done);
    }
    await file.finish();
    return hasher.finish();
  } catch (error) {
    throw diskError(error, `write compressed layer ${target}`);
  }
}

function createTarget(target: string, onWritten: OnWritten | undefined): DirectFile {
  try {
    return createDirectFile(target, onWritten);
  } catch (error) {
    throw diskError(error, `write compressed layer ${target}`);
  }
}

interface FinishedRange {
  /** Lent until the next range is asked for. */
  readonly bytes: Uint8Array;
  readonly plainSize: number;
  readonly memory: ArrayBuffer;
}

/**
 * The ranges in order; the next ones are in work already. Memory is bounded, whatever the layer's size: each range in
 * work has a buffer, which goes to its worker and comes back, and which a later range takes over.
 */
async function* compressedRanges(
  request: CompressRequest,
  options: CompressOptions,
): AsyncGenerator<FinishedRange> {
  const { size } = request.layer;
  const step = RANGE_BYTES[request.format];
  const stop = new AbortController();
  const signal =
    options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal]);
  const pending: Promise<FinishedRange>[] = [];
  let offset = 0;
  const start = (memory: ArrayBuffer) => {
    if (offset >= size && offset > 0) return;
    const range = { offset, size: Math.min(step, size - offset), memory };
    const finished = compressOne(request, range, { workers: options.workers, signal });
    // Awaited in order; until its turn a failure must not count as unhandled.
    finished.catch(() => {});
    pending.push(finished);
    offset += step;
  };
  try {
    const buffers = Math.min(options.concurrency ?? 4, Math.ceil(size / step) || 1);
    for (let i = 0; i < buffers; i += 1) start(rangeMemory(step));
    for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
      const finished = await next;
      yield finished;
      start(finished.memory);
    }
  } finally {
    if (pending.length > 0) stop.abort();
    await Promise.allSettled(pending);
  }
}

async function compressOne(
  { layer, format, level }: CompressRequest,
  range: Pick<RangeRequest, 'offset' | 'size' | 'memory'>,
  { workers, signal }: { workers: Workers; signal: AbortSignal },
): Promise<FinishedRange> {
  const input: RangeRequest = { tar: layer.tar, format, level, ...range };
  const result = await workers.run(COMPRESS_TASK, input, { signal, transfer: [range.memory] });
  const { memory, size } = result as CompressedRange;
  return { bytes: new Uint8Array(memory, 0, size), plainSize: range.size, memory };
}
