/**
 * Removes files that nobody needs, in a process of its own: thousands of them would hold up the requests that run.
 */
import { existsSync } from 'node:fs';
import { TsbuildError } from '../errors.ts';
import { runCommand } from '../host/process.ts';

export interface Cleaner {
  /** Starts removing, unless that is going on already. */
  clean(): void;
  /** Removes what is left, and is fulfilled when it is gone. */
  finish(): Promise<void>;
}

/** `paths` may appear again after they were removed. `searchPath` is where `rm` is found. */
export function createCleaner(paths: readonly string[], searchPath: string): Cleaner {
  let running: Promise<void> | undefined;
  const clean = (): Promise<void> => {
    running ??= remove(paths, searchPath).finally(() => {
      running = undefined;
    });
    return running;
  };
  return {
    clean: () => void clean(),
    finish: async () => {
      // What is being removed may have been moved aside before the last of it was.
      await running;
      await clean();
    },
  };
}

/** What could not be removed is tried again by the next executor. */
async function remove(paths: readonly string[], searchPath: string): Promise<void> {
  const there = paths.filter((path) => existsSync(path));
  if (there.length > 0) await removeFiles(there, searchPath).catch(() => {});
}

/** @throws TsbuildError `EXECUTOR` with what `rm` says */
export async function removeFiles(paths: readonly string[], searchPath: string): Promise<void> {
  const { status, signal, stderr } = await runCommand('rm', ['-rf', '--', ...paths], {
    env: { PATH: searchPath },
    maxOutput: 4096,
  });
  if (status === 0) return;
  const said = stderr.toString().trim() || `rm ended with ${signal ?? status}`;
  throw new TsbuildError('EXECUTOR', `remove files: ${said}`);
}
