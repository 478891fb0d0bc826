/**
 * Writes a large layer by two threads. This one lays the tar out, part by part: it knows every header and every size, so
 * all that is missing are the files' bytes. A worker reads those and writes the parts (fill-part.ts), while here the parts are
 * hashed in their order, which is what no two threads can share. When the next one is not filled yet, this thread fills one
 * itself: which of them is the slower depends on the files and on the host. What passes between the threads are names and
 * ranges; the bytes lie in a few buffers that both see.
 */
import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { closeSync, ftruncateSync, openSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { diskError } from '../host/disk-error.ts';
import { fsPath } from '../host/path-bytes.ts';
import type { Workers } from '../host/workers.ts';
import { type DiffID, digestFromHex } from '../oci/digest.ts';
import { cutParts } from './cut-parts.ts';
import { FILL_TASK, fillPart, stateOf, type TarPart } from './fill-part.ts';
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
  /** By the worker, for which there may be nothing left to do; or, if this thread could not fill it, why. */
  filled: Promise<unknown>;
}

/** The parts in work, in their order. */
function startFilling(workers: Workers, outer: AbortSignal) {
  const hash = createHash('sha256');
  const started: StartedPart[] = [];
  const stopped = new AbortController();
  const signal = AbortSignal.any([outer, stopped.signal]);
  // Of those that were filled here, the worker hears late that nothing is to be done.
  setMaxListeners(0, signal);
  const lane = {};
  let buffers = 0;
  const buffer = () => {
    buffers += 1;
    return new SharedArrayBuffer(PART_BYTES);
  };
  const hashNext = async (): Promise<SharedArrayBuffer> => {
    const [{ part }] = started as [StartedPart];
    await filledPart(started, signal);
    started.shift();
    // All parts before this one are filled too.
    if (part.consume) for (const file of part.ended) unlinkSync(fsPath(file));
    hash.update(Buffer.from(part.bytes, 0, part.size));
    return part.bytes;
  };
  return {
    buffer,
    start(part: TarPart): void {
      started.push({ part, filled: unhandled(workers.run(FILL_TASK, part, { signal, lane })) });
    },
    async nextBuffer(): Promise<SharedArrayBuffer> {
      return buffers < PARTS ? buffer() : hashNext();
    },
    /** The sha256 of all parts in hex. */
    async finish(): Promise<string> {
      while (started.length > 0) await hashNext();
      return hash.digest('hex');
    },
    /** No worker writes any more when this resolves. */
    async stop(): Promise<void> {
      stopped.abort();
      await Promise.allSettled(started.map(({ filled }) => filled));
    },
  };
}

/** Until the first part is filled, this thread fills what nobody else has begun to. */
async function filledPart(started: readonly StartedPart[], signal: AbortSignal): Promise<void> {
  const [first] = started as [StartedPart];
  while (stateOf(first.part) !== 'filled') {
    const next = started.find(({ part }) => stateOf(part) === 'open');
    if (next === undefined) {
      await first.filled;
      return;
    }
    fillHere(next);
    // For those who have been waiting for this thread meanwhile.
    await setImmediate();
    signal.throwIfAborted();
  }
}

function fillHere(started: StartedPart): void {
  try {
    fillPart(started.part);
  } catch (error) {
    // Told when it is the part's turn, so that of two files it is always the same that is told of.
    started.filled = unhandled(Promise.reject(error));
  }
}

/** Awaited in order; until its turn a failure must not count as unhandled. */
function unhandled(promise: Promise<unknown>): Promise<unknown> {
  promise.catch(() => {});
  return promise;
}
