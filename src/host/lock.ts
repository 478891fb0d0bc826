/**
 * Locks between processes, exclusive or shared. The kernel keeps them (flock(2)), so whoever holds one and dies, by
 * whatever signal and in whatever container, has let go: there is no stale lock to be detected, and no guess about process ids,
 * which mean nothing in another pid namespace.
 *
 * A lock that is free is taken by flock(2) itself. One that has to be waited for must not keep this thread: such a lock belongs
 * to the *open file*, which parent and child share, so flock(1) waits for it on our descriptor and exits, and the lock is ours
 * until we close it. That needs no polling, but a process, which takes 2 ms to start and five from a process of 150 MB; so it
 * is also what is done without koffi.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { errnoOf, TsbuildError } from '../errors.ts';
import { diskError } from './disk-error.ts';
import { flockNow, LOCK_EX, LOCK_SH } from './syscalls.ts';

export interface LockOptions {
  /** Any number may hold a shared lock at a time, but nobody together with an exclusive one. Exclusive by default. */
  readonly shared?: boolean;
  readonly signal?: AbortSignal;
}

/** Waits for the lock on the file `path`, which is made when it is missing. Rejects with `signal.reason` when aborted. */
export async function acquireLock(
  path: string,
  options: LockOptions = {},
): Promise<AsyncDisposable> {
  const lock = await lockFile(path, [], options);
  if (lock === undefined) throw new TsbuildError('STORE', `lock ${path}: flock failed`);
  return lock;
}

/** As {@link acquireLock}, but `undefined` where that would wait. */
export function tryLock(
  path: string,
  options: LockOptions = {},
): Promise<AsyncDisposable | undefined> {
  return lockFile(path, ['-n'], options);
}

async function lockFile(
  path: string,
  extra: readonly string[],
  options: LockOptions,
): Promise<AsyncDisposable | undefined> {
  options.signal?.throwIfAborted();
  const file = openLockFile(path);
  try {
    const lock = { [Symbol.asyncDispose]: async () => file.close() };
    if (lockAtOnce(file.fd, options.shared ? LOCK_SH : LOCK_EX)) return lock;
    const status = await flock(
      [options.shared ? '-s' : '-x', ...extra, '3'],
      file.fd,
      path,
      options.signal,
    );
    if (status === 0) return lock;
    file.close();
    // 1 is flock's answer for a lock that is held by another, which only -n lets it give.
    if (status === 1 && extra.length > 0) return undefined;
    throw new TsbuildError('STORE', `lock ${path}: flock ended with ${status}`);
  } catch (error) {
    file.close();
    throw error;
  }
}

/** False if that is not possible, for whatever reason: flock(1) tells. */
function lockAtOnce(fd: number, operation: number): boolean {
  try {
    flockNow(fd, operation);
    return true;
  } catch {
    return false;
  }
}

/** Opened for reading only, which flock(2) is content with: one who may only read the store can lock it, too. */
function openLockFile(path: string): { readonly fd: number; close(): void } {
  const { O_RDONLY, O_CREAT, O_NOFOLLOW } = fs.constants;
  let fd: number;
  try {
    fd = fs.openSync(path, O_RDONLY | O_CREAT | O_NOFOLLOW, 0o644);
  } catch (cause) {
    throw diskError(cause, `lock ${path}`);
  }
  let isOpen = true;
  // Closing a number twice would close whatever file has it by then.
  const close = () => {
    if (isOpen) fs.closeSync(fd);
    isOpen = false;
  };
  return { fd, close };
}

function flock(
  args: readonly string[],
  fd: number,
  path: string,
  signal?: AbortSignal,
): Promise<number | string> {
  return new Promise((resolve, reject) => {
    // The child's descriptor 3 is our `fd`; no other child inherits it, since Node opens files close-on-exec.
    // In a process group of its own: Ctrl-C is for us, and we tell the child.
    const child = spawn('flock', args, {
      stdio: ['ignore', 'ignore', 'ignore', fd],
      detached: true,
    });
    const abort = () => child.kill('SIGKILL');
    signal?.addEventListener('abort', abort, { once: true });
    const settle = (done: () => void) => {
      signal?.removeEventListener('abort', abort);
      if (signal?.aborted) reject(signal.reason);
      else done();
    };
    child.once('error', (cause) => settle(() => reject(cannotRun(cause, path))));
    child.once('exit', (code, killedBy) => settle(() => resolve(code ?? killedBy ?? 'no status')));
  });
}

function cannotRun(cause: Error, path: string): Error {
  if (errnoOf(cause) !== 'ENOENT')
    return new TsbuildError('STORE', `lock ${path}: cannot start flock`, { cause });
  return new TsbuildError('UNSUPPORTED_HOST', `lock ${path}: there is no flock command`, {
    cause,
    hint: 'install util-linux (or busybox), which has it',
  });
}
