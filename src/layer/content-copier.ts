/** Copies the bytes of many files out of one tar, reading it in large pieces: small files lie side by side there. */
import { closeSync, openSync } from 'node:fs';
import { TsbuildError } from '../errors.ts';
import { readSparse, sparseFile } from '../host/sparse-file.ts';
import type { Content } from '../tree/file-tree.ts';

export interface ContentCopier {
  /** Writes `content` to `fd`, an empty file. @throws TsbuildError `ARCHIVE` if the file ends before it. */
  copy(content: Content, fd: number): void;
  close(): void;
}

const WINDOW_SIZE = 1 << 20;

export function openContentCopier(): ContentCopier {
  let source: { readonly file: string; readonly fd: number } | undefined;
  const window = Buffer.allocUnsafeSlow(WINDOW_SIZE);
  let start = 0;
  let length = 0;

  function use(file: string): number {
    if (source?.file !== file) {
      if (source) closeSync(source.fd);
      source = { file, fd: openSync(file, 'r') };
      length = 0;
    }
    return source.fd;
  }

  /** What the window holds from `offset` on; read anew when that is nothing. */
  function bytesAt(file: string, offset: number): Buffer {
    const fd = use(file);
    if (offset < start || offset >= start + length) {
      start = offset;
      length = readSparse(fd, window, offset);
      if (length === 0) throw new TsbuildError('ARCHIVE', `${file} ends before byte ${offset}`);
    }
    return window.subarray(offset - start, length);
  }

  function* piecesOf({ file, offset, size }: Extract<Content, { file: string }>) {
    for (let at = offset; at < offset + size; ) {
      const piece = bytesAt(file, at).subarray(0, offset + size - at);
      yield piece;
      at += piece.length;
    }
  }

  return {
    copy(content, fd) {
      const target = sparseFile(fd);
      for (const piece of 'bytes' in content ? [content.bytes] : piecesOf(content))
        target.write(piece);
      target.finish();
    },
    close() {
      if (source) closeSync(source.fd);
      source = undefined;
    },
  };
}
