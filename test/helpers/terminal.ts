/** A terminal as a person would have it: a pseudo terminal, whose other side the test holds. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { ReadStream } from 'node:tty';

export interface Terminal extends Disposable {
  /** Starts a program on it, as the leader of a session whose terminal this is. */
  spawn(file: string, args: readonly string[], options: { uid: number; gid: number }): ChildProcess;
  type(text: string): void;
  resize(rows: number, columns: number): void;
  /** Everything that was shown so far. */
  shown(): string;
  /** Fulfilled when `text` was shown. */
  shows(text: string): Promise<void>;
}

const TIOCSWINSZ = 0x5414;
const O_RDWR_NOCTTY = 0x102;

export function openTerminal(rows = 24, columns = 80): Terminal {
  const libc = (createRequire(import.meta.url)('koffi') as typeof import('koffi')).load(null);
  const ioctl = libc.func('int ioctl(int fd, unsigned long request, void *size)');
  const master: number = libc.func('int posix_openpt(int flags)')(O_RDWR_NOCTTY);
  libc.func('int grantpt(int fd)')(master);
  libc.func('int unlockpt(int fd)')(master);
  const name: string = libc.func('str ptsname(int fd)')(master);
  const resize = (height: number, width: number): void => {
    ioctl(master, TIOCSWINSZ, Buffer.from(new Uint16Array([height, width, 0, 0]).buffer));
  };
  resize(rows, columns);
  const screen = new ReadStream(master);
  const watchers = new Set<() => void>();
  let text = '';
  screen.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
    for (const watcher of watchers) watcher();
  });
  // EIO: nobody has the terminal open any more.
  screen.on('error', () => {});
  return {
    resize,
    shown: () => text,
    shows: (wanted) =>
      new Promise((resolve) => {
        const watcher = (): void => {
          if (text.includes(wanted)) resolve();
        };
        watchers.add(watcher);
        watcher();
      }),
    type: (typed) => void screen.write(typed),
    spawn: (file, args, ids) => {
      const slave = openSync(name, O_RDWR_NOCTTY);
      const stdio = [slave, slave, slave];
      const child = spawn('setsid', ['--ctty', file, ...args], {
        stdio,
        env: {},
        cwd: '/',
        ...ids,
      });
      closeSync(slave);
      return child;
    },
    [Symbol.dispose]: () => void screen.destroy(),
  };
}
