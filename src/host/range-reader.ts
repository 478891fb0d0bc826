/**
 * Reading a range of a file in one loop, for worker threads; also while another thread still writes it. That is told through
 * shared memory, for which a thread can wait that never gets to its messages.
 */
import { closeSync, openSync, readSync } from 'node:fs';

export interface RangeReader extends Disposable {
  readonly size: number;
  /** Fills the buffer, or what there is of it, from a position of the range on. Returns 0 at the end alone. */
  read(into: Buffer, at: number): number;
}

export interface Growth {
  /** To be handed to the reader's thread. */
  readonly shared: SharedArrayBuffer;
  /** The file has this many bytes now. Who writes less than the range has, ends the thread of whoever reads it. */
  grown(size: number): void;
}

export function createGrowth(): Growth {
  const shared = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT);
  const cell = new BigInt64Array(shared);
  return {
    shared,
    grown(size) {
      Atomics.store(cell, 0, BigInt(size));
      Atomics.notify(cell, 0);
    },
  };
}

/** With `growth`, the file may be shorter than the range yet, and reading waits for more. Never so in the thread that writes. */
export function openRange(
  range: { readonly file: string; readonly offset: number; readonly size: number },
  growth?: SharedArrayBuffer,
): RangeReader {
  const { file, offset, size } = range;
  const fd = openSync(file, 'r');
  const cell = growth && new BigInt64Array(growth);
  return {
    size,
    read(into, at) {
      const length = Math.min(into.length, size - at);
      if (length === 0) return 0;
      const end = cell === undefined ? size : grownBeyond(cell, offset + at) - offset;
      return readSync(fd, into, 0, Math.min(length, end - at), offset + at);
    },
    [Symbol.dispose]: () => closeSync(fd),
  };
}

/** All of it; each chunk is lent until the next one is asked for. */
export function* chunksOf(range: RangeReader, chunkBytes: number): Generator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(chunkBytes, range.size));
  for (let at = 0; ; ) {
    const length = range.read(buffer, at);
    if (length === 0) return;
    at += length;
    yield buffer.subarray(0, length);
  }
}

/** The file's size, once it is more than this. */
function grownBeyond(cell: BigInt64Array, size: number): number {
  for (;;) {
    const now = Atomics.load(cell, 0);
    if (now > size) return Number(now);
    Atomics.wait(cell, 0, now);
  }
}
