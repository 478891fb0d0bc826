/** Opens the files that go into a layer, which lie where others may write, and sees that they are what was looked at before. */
import { closeSync, openSync } from 'node:fs';
import { errnoOf, isTsbuildError, TsbuildError } from '../errors.ts';
import { fstatMany } from '../host/lstat.ts';
import { displayName, fsPath } from '../host/path-bytes.ts';
import { SAFE_READ } from '../host/safe-read.ts';
import type { FileRange } from '../tree/file-tree.ts';

export interface Sources {
  /**
   * Gives `read` the open file; `undefined` from it says that the file is too short.
   * @throws TsbuildError `CONTEXT` for a file that cannot be read, or is not as it was; `name` is for messages
   */
  use<T>(range: FileRange, name: string, read: (fd: number) => T | undefined): T;
  close(): void;
}

/** For about so many files. The one that was read last stays open: contents that lie in one tar come one after the other. */
export function openSources(count = 0): Sources {
  const fstat = fstatMany(count);
  let open: { readonly file: string; readonly fd: number } | undefined;
  const close = () => {
    if (open !== undefined) closeSync(open.fd);
    open = undefined;
  };
  const obtain = (file: string): number => {
    if (open?.file === file) return open.fd;
    close();
    open = { file, fd: openSync(fsPath(file), SAFE_READ) };
    return open.fd;
  };
  /** Asked after reading. Whatever changes a file changes its ctime, which cannot be set back. */
  const isAsItWas = (fd: number, { ctime, size }: FileRange): boolean => {
    if (ctime === undefined) return true;
    const now = fstat(fd);
    return now.ctime === ctime && now.size === size;
  };
  return {
    use(range, name, read) {
      try {
        const fd = obtain(range.file);
        const result = read(fd);
        if (result === undefined || !isAsItWas(fd, range)) throw changed(name);
        return result;
      } catch (cause) {
        if (isTsbuildError(cause) || errnoOf(cause) === undefined) throw cause;
        const message = `read ${displayName(name)}: ${(cause as Error).message}`;
        throw new TsbuildError('CONTEXT', message, { cause });
      }
    },
    close,
  };
}

function changed(name: string): TsbuildError {
  return new TsbuildError(
    'CONTEXT',
    `read ${displayName(name)}: the file changed while it was read`,
    {
      hint: 'build again when nothing writes to it; exclude it with .dockerignore if it is a log or the like',
      retryable: true,
    },
  );
}
