/**
 * Where a layer's tar goes: one file, written in large pieces and hashed as it grows. Bytes of files are read straight
 * into the buffer that is written, so each byte is copied by the kernel alone, and a small file costs no call of its own
 * on this side.
 */
import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { writeFully } from '../host/atomic-file.ts';
import { diskError } from '../host/disk-error.ts';
import { BLOCK, padding } from '../tar/entry.ts';

/** Larger is no faster, and each worker holds one. */
const BUFFER_BYTES = 1024 * 1024;

export interface TarSink {
  /** Bytes so far. */
  position(): number;
  put(bytes: Uint8Array): void;
  /**
   * Appends `size` bytes of an open file, which `contentHash` sees too, and returns how many there were: fewer than
   * `size` if the file ends before, one more (not appended) if `isWhole` and the file goes on behind them.
   */
  copy(
    fd: number,
    offset: number,
    size: number,
    isWhole: boolean,
    contentHash: Hash | undefined,
  ): number;
  /** Zeros up to a whole block. */
  pad(): void;
  /** Writes what is left; the hex sha256 of everything. */
  finish(): string;
  /** Closes the file; idempotent. */
  close(): void;
}

/** @throws TsbuildError `DISK_FULL`, `STORE` from each call that may write. */
export function openTarSink(file: string): TarSink {
  const fd = attempt(file, () => openSync(file, 'wx', 0o644));
  // One byte more than a file may fill: room to see that it has grown.
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES + 1);
  const hash = createHash('sha256');
  let used = 0;
  let flushed = 0;
  let isOpen = true;

  const flush = () => {
    const bytes = buffer.subarray(0, used);
    hash.update(bytes);
    attempt(file, () => writeFully(fd, bytes));
    flushed += used;
    used = 0;
  };
  const put = (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + BUFFER_BYTES - used);
      buffer.set(piece, used);
      used += piece.length;
      at += piece.length;
      if (used === BUFFER_BYTES) flush();
    }
  };
  const copy = (
    source: number,
    offset: number,
    size: number,
    isWhole: boolean,
    contentHash: Hash | undefined,
  ) => {
    if (size <= BUFFER_BYTES && used + size > BUFFER_BYTES) flush();
    for (let done = 0; ; ) {
      const want = Math.min(size - done, BUFFER_BYTES - used);
      const isLast = done + want === size;
      const count = readSync(
        source,
        buffer,
        used,
        isLast && isWhole ? want + 1 : want,
        offset + done,
      );
      if (count > want) return size + 1;
      contentHash?.update(buffer.subarray(used, used + count));
      used += count;
      done += count;
      if (used === BUFFER_BYTES) flush();
      if (done === size || count === 0) return done;
    }
  };
  const pad = () => {
    const zeros = padding(flushed + used);
    if (zeros > 0) put(ZEROS.subarray(0, zeros));
  };
  const close = () => {
    if (isOpen) closeSync(fd);
    isOpen = false;
  };
  const finish = () => {
    flush();
    close();
    return hash.digest('hex');
  };
  return { position: () => flushed + used, put, copy, pad, finish, close };
}

const ZEROS = Buffer.alloc(BLOCK);

function attempt<T>(file: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    throw diskError(error, `write layer ${file}`);
  }
}
