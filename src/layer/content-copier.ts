/** Copies the bytes of many files out of one tar, reading it in large pieces: small files lie side by side there. */
import { closeSync, openSync, readSync } from 'node:fs';
import { TsbuildError } from '../errors.ts';
import { writeFully } from '../host/atomic-file.ts';
import type { Content } from '../tree/file-tree.ts';

export interface ContentCopier {
  /** Writes `content` to `fd` at its position. @throws TsbuildError `ARCHIVE` if the file ends before it. */
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
      length = readSync(fd, window, 0, WINDOW_SIZE, offset);
      if (length === 0) throw new TsbuildError('ARCHIVE', `${file} ends before byte ${offset}`);
    }
    return window.subarray(offset - start, length);
  }

  return {
    copy(content, fd) {
      if ('bytes' in content) {
        writeFully(fd, content.bytes);
        return;
      }
      const end = content.offset + content.size;
      for (let at = content.offset; at < end; ) {
        const piece = bytesAt(content.file, at);
        const wanted = piece.subarray(0, end - at);
        writeFully(fd, wanted);
        at += wanted.length;
      }
    },
    close() {
      if (source) closeSync(source.fd);
      source = undefined;
    },
  };
}
