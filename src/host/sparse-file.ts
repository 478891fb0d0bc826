/**
 * Writes that leave holes: a long run of zeros is not written but skipped, and takes no space on the disk. Who reads the
 * file sees no difference. So a sparse file stays one in a layer's tar and in what is unpacked from it, though neither
 * format says so. And reads that pass over holes.
 */
import { fstatSync, ftruncateSync } from 'node:fs';
import { readFully } from './read-fully.ts';
import { seekData } from './syscalls.ts';
import { writeFully } from './write-fully.ts';

/** Shorter pieces are written: to ask costs time, and leaving them out saves little. */
const SMALLEST_HOLE = 64 * 1024;

export interface SparseFile {
  /** Appends. False if that is a hole, which the file has only when something comes behind it. */
  write(bytes: Uint8Array): boolean;
  /** Gives the file its length; to be called in the end. */
  finish(): void;
}

/** Writes an empty file that `fd` has open for writing. */
export function sparseFile(fd: number): SparseFile {
  let length = 0;
  let endsInHole = false;
  return {
    write(bytes) {
      if (bytes.length > 0) endsInHole = !writeSparse(fd, bytes, length);
      length += bytes.length;
      return !endsInHole;
    },
    finish() {
      if (endsInHole) ftruncateSync(fd, length);
    },
  };
}

/** Writes at a position, or leaves a hole there; then the file's length may be short of it. False for a hole. */
export function writeSparse(fd: number, bytes: Uint8Array, position: number): boolean {
  if (bytes.length >= SMALLEST_HOLE && isZero(bytes)) return false;
  writeFully(fd, bytes, position);
  return true;
}

/**
 * `readFully`, but nothing is read of a hole, for which the kernel would find memory and clear it: 3.5 s of a core for each
 * GiB. `useradd` with a large uid makes such files (/var/log/lastlog, /var/log/faillog).
 */
export function readSparse(
  fd: number,
  buffer: Buffer,
  position: number,
  part = { start: 0, size: buffer.length },
): number {
  const { start, size } = part;
  if (size < SMALLEST_HOLE || !isHole(fd, position, size))
    return readFully(fd, buffer, position, part);
  buffer.fill(0, start, start + size);
  return size;
}

function isHole(fd: number, position: number, length: number): boolean {
  const { size, blocks } = fstatSync(fd);
  if (blocks * BLOCK_BYTES >= size || position + length > size) return false;
  try {
    return (seekData(fd, position) ?? size) >= position + length;
  } catch {
    // A host or filesystem that does not tell where its holes are. To read them gives the same.
    return false;
  }
}

/** Of `blocks` in stat(2), whatever the filesystem's are. */
const BLOCK_BYTES = 512;

/** Every byte is the one before it, and the first is zero: two reads of memory, by the C library. */
function isZero(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0 || bytes[bytes.length - 1] !== 0) return false;
  return Buffer.compare(bytes.subarray(1), bytes.subarray(0, -1)) === 0;
}
