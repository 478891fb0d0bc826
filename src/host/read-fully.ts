/** Reading as many bytes as there is room for, though the system may give fewer at once. */
import { readSync } from 'node:fs';

/**
 * Fills the buffer from `position` of the file on; fewer bytes only at its end. Or a part of the buffer: of many small ones, to
 * make an object for each costs as much as to read it.
 */
export function readFully(
  fd: number,
  buffer: Buffer,
  position: number,
  { start, size } = { start: 0, size: buffer.length },
): number {
  let length = 0;
  while (length < size) {
    const count = readSync(fd, buffer, start + length, size - length, position + length);
    if (count === 0) break;
    length += count;
  }
  return length;
}
