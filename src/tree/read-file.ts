/** Reading a small file of a tree: whatever holds it, its bytes are a range of a file on this host, or a buffer. */
import fs from 'node:fs';
import { TsbuildError } from '../errors.ts';
import { fsPath } from '../host/path-bytes.ts';
import type { FileNode } from './file-tree.ts';

/**
 * All bytes of a file node; none for other nodes.
 * @throws TsbuildError `ARCHIVE` if there are more than `maxBytes`, or fewer than the node says.
 */
export function readTreeFile(node: FileNode, maxBytes: number): Buffer {
  const { content } = node;
  if (content === undefined) return Buffer.alloc(0);
  if ('bytes' in content) return Buffer.from(content.bytes);
  if (content.size > maxBytes) {
    throw new TsbuildError('ARCHIVE', `read ${content.file}: more than ${maxBytes} bytes`);
  }
  const bytes = Buffer.alloc(content.size);
  const fd = fs.openSync(fsPath(content.file), 'r');
  try {
    for (let at = 0; at < bytes.length; ) {
      const read = fs.readSync(fd, bytes, at, bytes.length - at, content.offset + at);
      if (read === 0) throw new TsbuildError('ARCHIVE', `read ${content.file}: ends too early`);
      at += read;
    }
  } finally {
    fs.closeSync(fd);
  }
  return bytes;
}
