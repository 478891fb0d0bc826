/** Whether two files hold the same bytes. */
import { closeSync, openSync } from 'node:fs';
import { fsPath } from '../host/path-bytes.ts';
import { readFully } from '../host/read-fully.ts';
import type { Content } from '../tree/file-tree.ts';

const PIECE = 256 * 1024;

/** Reads no further than the first difference. */
export function sameContent(a: Content, b: Content): boolean {
  return (
    sizeOf(a) === sizeOf(b) &&
    reading(a, (left) => reading(b, (right) => agree(left, right, sizeOf(a))))
  );
}

/** Bytes of a content from a position on; fewer if it ends before. */
type Read = (at: number, length: number) => Buffer;

function agree(left: Read, right: Read, size: number): boolean {
  for (let at = 0; at < size; at += PIECE) {
    const length = Math.min(PIECE, size - at);
    const piece = left(at, length);
    if (piece.length !== length || !piece.equals(right(at, length))) return false;
  }
  return true;
}

function reading<T>(content: Content, use: (read: Read) => T): T {
  if ('bytes' in content) {
    const bytes = Buffer.from(content.bytes);
    return use((at, length) => bytes.subarray(at, at + length));
  }
  const buffer = Buffer.allocUnsafeSlow(Math.min(PIECE, content.size));
  const fd = openSync(fsPath(content.file), 'r');
  try {
    return use((at, length) => {
      const piece = buffer.subarray(0, length);
      return piece.subarray(0, readFully(fd, piece, content.offset + at));
    });
  } finally {
    closeSync(fd);
  }
}

function sizeOf(content: Content): number {
  return 'bytes' in content ? content.bytes.length : content.size;
}
