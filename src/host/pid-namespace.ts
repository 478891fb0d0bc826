/**
 * A pid namespace for children of this process: when this process ends, by whatever, all that was born in there is killed
 * by the kernel.
 *
 *     tsbuild ─ unshare ─ sh        the first process in there: with it, all others end
 *        └ a child                  born in there
 *
 * The shell ends when its stdin does, and nobody but this process has the other end of that.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { TsbuildError } from '../errors.ts';
import { requireExecutable } from './process.ts';
import { CLONE_NEWPID, setns } from './syscalls.ts';

export interface PidNamespace extends Disposable {
  /** To be put before a command in there, so that its /proc shows the processes that it sees. */
  readonly command: readonly string[];
  /** What `start` spawns, before it returns, is born in there. Its pid is the one that it has outside. */
  enter<T>(start: () => T): T;
  /** Calls back when all that was in there has been killed. */
  onEnd(listener: () => void): void;
  /** Fulfilled when the first process in there has answered, or has ended and those who listen for that have heard of it. */
  isThere(): Promise<boolean>;
}

const ECHO = 'echo; while read -r _; do echo; done';

/** @throws TsbuildError `UNSUPPORTED_HOST` */
export async function makePidNamespace(searchPath: string): Promise<PidNamespace> {
  const unshare = requireExecutable('unshare', 'util-linux', searchPath);
  const shell = requireExecutable('sh', 'dash', searchPath);
  const args = ['--pid', '--fork', '--kill-child=KILL', '--', shell, '-c', ECHO];
  // Detached: a terminal's Ctrl-C is for us to handle.
  const options = { env: { PATH: searchPath }, stdio: 'pipe', detached: true } as const;
  const keeper = spawn(unshare, args, options);
  await started(keeper);
  const ended = once(keeper, 'exit');
  const inside = openSync(`/proc/${keeper.pid}/ns/pid_for_children`, 'r');
  const outside = openSync('/proc/self/ns/pid', 'r');
  keeper.stdin!.on('error', () => {});
  return {
    command: [unshare, '--mount', '--propagation', 'slave', '--mount-proc', '--'],
    enter(start) {
      setns(inside, CLONE_NEWPID);
      try {
        return start();
      } finally {
        // This process gets no thread while its children are to be born elsewhere.
        setns(outside, CLONE_NEWPID);
      }
    },
    onEnd: (listener) => void ended.then(listener),
    async isThere() {
      keeper.stdin!.write('\n');
      return await Promise.race([
        once(keeper.stdout!, 'data').then(() => true),
        ended.then(() => false),
      ]);
    },
    [Symbol.dispose]() {
      keeper.kill('SIGKILL');
      closeSync(inside);
      closeSync(outside);
    },
  };
}

async function started(keeper: ChildProcess): Promise<void> {
  let said = '';
  keeper.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const closed = once(keeper, 'close');
  const isThere = await Promise.race([
    once(keeper.stdout!, 'data').then(() => true),
    closed.then(() => false),
  ]).catch((cause) => {
    throw failure((cause as Error).message, cause);
  });
  if (!isThere) throw failure(said.trim() || `unshare ended with ${keeper.exitCode}`);
}

function failure(why: string, cause?: unknown): TsbuildError {
  return new TsbuildError('UNSUPPORTED_HOST', `make a pid namespace: ${why}`, { cause });
}
