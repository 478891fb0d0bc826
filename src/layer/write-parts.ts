/**
 * Writes a large layer by all cores. This thread lays the tar out, part by part: it knows every header and every size, so
 * all that is missing are the files' bytes. Workers read those and write the parts (fill-part.ts), while here the parts are
 * hashed in their order, which is what no two threads can share. What passes between the threads are names and ranges; the
 * bytes lie in a few buffers that both see.
 */
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { diskError } from '../host/disk-error.ts';
import { fsPath } from '../host/path-bytes.ts';
import type { Workers } from '../host/workers.ts';
import { type DiffID, digestFromHex } from '../oci/digest.ts';
import { cutParts } from './cut-parts.ts';
import { FILL_TASK, type TarPart } from './fill-part.ts';
import type { LayerInput, WrittenLayer } from './layer.ts';
import { type WriteOptions, writeIndex } from './write.ts';

export interface PartsOptions extends WriteOptions {
  readonly workers: Workers;
  readonly signal: AbortSignal;
  /**
   * Nobody needs the files any more: they are removed as they are read, so that the tar is written to the memory, and the
   * disk, that they leave. To find other memory costs several times the copying where it is a virtual machine's.
   */
  readonly consume?: boolean;
}

/** Larger is no faster, and there are {@link PARTS} of them. */
const PART_BYTES = 1024 * 1024;
/** At once: two being filled, one being hashed, and the next one ready. */
const PARTS = 4;
/**
 * One thread fills them; when it was waited for so long, a second one helps, which costs 0.1 s of processor time and 15 MB to
 * begin with. Where the laying out and the hashing take as long as the filling, it would be of no use.
 */
const WAIT_FOR_HELP_MS = 300;

/**
 * What `writeLayer` writes, byte for byte; but contents whose sha256 is not known stay without one in the index.
 * @throws TsbuildError the same
 */
export async function writeLayerParts(
  inputs: Iterable<LayerInput>,
  { directory, sourceDateEpoch, workers, signal, consume }: PartsOptions,
): Promise<WrittenLayer> {
  const tar = join(directory, 'layer.tar');
  const fd = createTar(tar);
  const filling = startFilling(workers, signal);
  try {
    const cut = cutParts(inputs, { tar, sourceDateEpoch, consume }, filling.buffer());
    let step = cut.next();
    while (!step.done) {
      filling.start(step.value);
      step = cut.next(await filling.nextBuffer());
    }
    const { size } = step.value;
    const index = writeIndex(directory, step.value);
    const diffID = digestFromHex<DiffID>(await filling.finish());
    // The end may be a hole.
    ftruncateSync(fd, size);
    return { diffID, size, tar, index };
  } catch (error) {
    await filling.stop();
    throw error;
  } finally {
    closeSync(fd);
  }
}

function createTar(tar: string): number {
  try {
    return openSync(tar, 'wx', 0o644);
  } catch (error) {
    throw diskError(error, `write layer ${tar}`);
  }
}

interface StartedPart {
  readonly part: TarPart;
  readonly filled: Promise<unknown>;
}

/** The parts in work, in their order. */
function startFilling(workers: Workers, outer: AbortSignal) {
  const hash = createHash('sha256');
  const started: StartedPart[] = [];
  const stopped = new AbortController();
  const signal = AbortSignal.any([outer, stopped.signal]);
  const [lane, helper] = [{}, {}];
  let buffers = 0;
  let parts = 0;
  let waited = 0;
  const buffer = () => {
    buffers += 1;
    return new SharedArrayBuffer(PART_BYTES);
  };
  const hashNext = async ({ part, filled }: StartedPart): Promise<SharedArrayBuffer> => {
    const from = performance.now();
    await filled;
    waited += performance.now() - from;
    // All parts before this one are filled too.
    if (part.consume) for (const file of part.ended) unlinkSync(fsPath(file));
    hash.update(Buffer.from(part.bytes, 0, part.size));
    return part.bytes;
  };
  return {
    buffer,
    start(part: TarPart): void {
      parts += 1;
      const isForHelper = waited >= WAIT_FOR_HELP_MS && parts % 2 === 0;
      const filled = workers.run(FILL_TASK, part, { signal, lane: isForHelper ? helper : lane });
      // Awaited in order; until its turn a failure must not count as unhandled.
      filled.catch(() => {});
      started.push({ part, filled });
    },
    async nextBuffer(): Promise<SharedArrayBuffer> {
      return buffers < PARTS ? buffer() : hashNext(started.shift()!);
    },
    /** The sha256 of all parts in hex. */
    async finish(): Promise<string> {
      for (let next = started.shift(); next !== undefined; next = started.shift())
        await hashNext(next);
      return hash.digest('hex');
    },
    /** No worker writes any more when this resolves. */
    async stop(): Promise<void> {
      stopped.abort();
      await Promise.allSettled(started.map(({ filled }) => filled));
    },
  };
}
