/**
 * Presence: being seen by other processes, at the price of opening a file. Whoever is present has a FIFO open for reading, and
 * who asks opens it for writing: the kernel answers ENXIO if nobody reads (fifo(7)). It knows of every process that shares the
 * file, in whatever container, and forgets those that die; nothing has to be removed, guessed or waited for.
 */
import { spawn } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import { diskError } from './disk-error.ts';

const { O_RDONLY, O_WRONLY, O_NONBLOCK, O_NOFOLLOW } = constants;

/** Present until it is disposed of; `undefined` where there is no such FIFO, or none that we may open. */
export function present(fifo: string): Disposable | undefined {
  const fd = open(fifo, O_RDONLY, [...NO_FIFO, 'EACCES']);
  if (fd === undefined) return undefined;
  let isOpen = true;
  return {
    [Symbol.dispose]: () => {
      if (isOpen) closeSync(fd);
      isOpen = false;
    },
  };
}

/**
 * Whether anybody is present; nobody is where there is no such FIFO.
 * @throws TsbuildError `STORE` if it cannot be told
 */
export function isAnybodyPresent(fifo: string): boolean {
  const fd = open(fifo, O_WRONLY, NO_FIFO);
  if (fd !== undefined) closeSync(fd);
  return fd !== undefined;
}

/** Makes FIFOs for the owner alone, unless they are there; or does not, where the filesystem has none. */
export function makeFifos(fifos: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    spawn('mkfifo', ['-m', '600', '--', ...fifos], { stdio: 'ignore' })
      .once('error', () => resolve())
      .once('exit', () => resolve());
  });
}

/** There is nothing, a symbolic link, a directory, or a socket; ENXIO also is a FIFO that nobody reads. */
const NO_FIFO = ['ENOENT', 'ELOOP', 'EISDIR', 'ENXIO'];

/** `undefined` if it is no FIFO, and for the errors that are `expected`. */
function open(fifo: string, mode: number, expected: readonly string[]): number | undefined {
  try {
    const fd = openSync(fifo, mode | O_NONBLOCK | O_NOFOLLOW);
    if (fstatSync(fd).isFIFO()) return fd;
    closeSync(fd);
    return undefined;
  } catch (error) {
    if (expected.includes(errnoOf(error) ?? '')) return undefined;
    throw diskError(error, `open the FIFO ${fifo}`);
  }
}
