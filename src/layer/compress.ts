/**
 * Makes the compressed blob of a layer, on all cores: the tar is cut into ranges, workers squeeze them (compress-range.ts),
 * and here they are put together in order, hashed and written. The result is gzip members, or zstd frames; it is the same for
 * any number of workers.
 */
import { closeSync, openSync, write } from 'node:fs';
import { promisify } from 'node:util';
import { diskError } from '../host/disk-error.ts';
import { createHasher, type Expected } from '../host/hash-stream.ts';
import type { Workers } from '../host/workers.ts';
import { type RangeRequest, rangeMemory } from './compress-range.ts';

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
  /** Bytes of the blob that are in its file. */
  readonly onWritten?: (size: number) => void;
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
  const fd = createTarget(target);
  const hasher = createHasher();
  // Meanwhile others have their turn: what sends the blob, and the workers, who want their next ranges.
  const append = async (bytes: Uint8Array) => {
    const written = writeLater(fd, bytes, hasher.size);
    hasher.update(bytes);
    await written;
  };
  try {
    let done = 0;
    for await (const range of compressedRanges(request, options)) {
      await append(range.bytes);
      done += range.plainSize;
      options.onProgress?.(done);
      options.onWritten?.(hasher.size);
    }
    return hasher.finish();
  } catch (error) {
    throw diskError(error, `write compressed layer ${target}`);
  } finally {
    closeSync(fd);
  }
}

/** From a thread of libuv. */
async function writeLater(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await writeAsync(fd, bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}

const writeAsync = promisify(write);

function createTarget(target: string): number {
  try {
    return openSync(target, 'wx', 0o644);
  } catch (error) {
    throw diskError(error, `write compressed layer ${target}`);
  }
}

interface FinishedRange {
  /** Lent until the next range is asked for. */
  readonly bytes: Uint8Array;
  readonly plainSize: number;
  readonly memory: SharedArrayBuffer;
}

/**
 * The ranges in order; the next ones are in work already. Memory is bounded, whatever the layer's size: each range in
 * work has a buffer that is shared with its worker, and that a later range takes over.
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
  const start = (memory: SharedArrayBuffer) => {
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
  const size = (await workers.run(COMPRESS_TASK, input, { signal })) as number;
  const bytes = new Uint8Array(range.memory, 0, size);
  return { bytes, plainSize: range.size, memory: range.memory };
}
