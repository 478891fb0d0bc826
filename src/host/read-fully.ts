/** Reading as many bytes as there is room for, though the system may give fewer at once. */
import { readSync } from 'node:fs';

/** Fills the buffer from `position` on; fewer bytes only at the end of the file. */
export function readFully(fd: number, buffer: Buffer, position: number): number {
  let length = 0;
  while (length < buffer.length) {
    const count = readSync(fd, buffer, length, buffer.length - length, position + length);
    if (count === 0) break;
    length += count;
  }
  return length;
}
