/**
 * A file that is read while it is still being written, by somebody else in this process. Readers get what is there and wait
 * for more; they may start at any time, and again from the beginning, also when the file has got another name.
 */
import { closeSync, openSync, read } from 'node:fs';
import { promisify } from 'node:util';

export interface GrowingFile extends Disposable {
  /** There are `size` bytes now; the file exists since the first call at the latest. */
  grown(size: number): void;
  /** That was all; or, with an error, there will not be more. */
  end(error?: unknown): void;
  /** Ends when the file does; fails as `end` says. */
  read(): AsyncGenerator<Buffer>;
}

const READ_BYTES = 256 * 1024;
const readAsync = promisify(read);

export function growingFile(path: string): GrowingFile {
  let fd = -1;
  let size = 0;
  let state: 'growing' | 'ended' | { readonly error: unknown } = 'growing';
  let waiting: (() => void)[] = [];
  const tell = () => {
    const told = waiting;
    waiting = [];
    for (const wake of told) wake();
  };
  return {
    grown(now) {
      if (fd < 0) fd = openSync(path, 'r');
      size = now;
      tell();
    },
    end(error) {
      state = error === undefined ? 'ended' : { error };
      tell();
    },
    async *read() {
      for (let at = 0; ; ) {
        if (typeof state === 'object') throw state.error;
        if (at < size) {
          const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, size - at));
          const { bytesRead } = await readAsync(fd, buffer, 0, buffer.length, at);
          at += bytesRead;
          yield buffer.subarray(0, bytesRead);
        } else if (state === 'ended') return;
        else await new Promise<void>((wake) => waiting.push(wake));
      }
    },
    [Symbol.dispose]() {
      if (fd >= 0) closeSync(fd);
      fd = -1;
    },
  };
}
