/**
 * A filesystem of a test's own, in a mount namespace that only its commands enter. It goes with the process that holds
 * it, which ends when the test does, however that ends.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SmallDisk extends AsyncDisposable {
  /** Where it is mounted, for commands that run in there. */
  readonly path: string;
  /** The same directory, seen from here. */
  readonly seen: string;
  /** Put in front of a command, runs it in there. */
  readonly enter: readonly string[];
  /** Runs a program in there. */
  run(...command: readonly string[]): string;
  /** Mounts it again with other options: `size=64m`, `ro`. */
  remount(options: string): void;
}

/** A tmpfs with these options. */
export async function smallDisk(options: string): Promise<SmallDisk> {
  const path = mkdtempSync(join(tmpdir(), 'tsbuild-disk-'));
  mkdirSync(path, { recursive: true });
  const holder = await hold(['-t', 'tmpfs', '-o', options, 'small', path]);
  const enter = ['nsenter', `--mount=/proc/${holder.pid}/ns/mnt`, '--'];
  const run = (...command: readonly string[]) => {
    const [file, ...args] = [...enter, ...command] as [string, ...string[]];
    return execFileSync(file, args, { encoding: 'utf8' });
  };
  return {
    ...{ path, enter, run },
    seen: `/proc/${holder.pid}/root${path}`,
    remount: (changed) => void run('mount', '-o', `remount,${changed}`, path),
    async [Symbol.asyncDispose]() {
      const ended = once(holder, 'close');
      holder.stdin!.end();
      await ended;
      rmSync(path, { recursive: true });
    },
  };
}

async function hold(mountArgs: readonly string[]): Promise<ChildProcess> {
  const script = 'mount "$@" && echo mounted && exec cat';
  const holder = spawn(
    'unshare',
    ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', ...mountArgs],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const [first] = await Promise.race([once(holder.stdout!, 'data'), once(holder, 'close')]);
  if (String(first) !== 'mounted\n') throw new Error(`mount ${mountArgs.join(' ')} failed`);
  return holder;
}
