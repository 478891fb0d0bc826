/**
 * Who uses content says so while it does: any number of builds, pulls and runs hold a shared lock, and only who holds it
 * alone may remove content. So a collection never takes a layer from under a build that has found it, and a process that
 * is killed stands in nobody's way.
 */
import { TsbuildError } from '../errors.ts';
import { acquireLock, tryLock } from '../host/lock.ts';
import type { Store } from './store.ts';

const LOCK = 'locks/use';

/** Keeps what is in the store from being removed, until it is disposed of. Waits for a collection under way. */
export function useStore(store: Store, signal?: AbortSignal): Promise<AsyncDisposable> {
  store.prepare();
  return acquireLock(store.path(LOCK), { shared: true, ...(signal ? { signal } : {}) });
}

/** The store for oneself. @throws TsbuildError `CONFLICT` if somebody uses it */
export async function ownStore(store: Store): Promise<AsyncDisposable> {
  store.prepare();
  const lock = await tryLock(store.path(LOCK));
  if (lock) return lock;
  throw new TsbuildError('CONFLICT', `the store ${store.home} is in use`, {
    hint: 'try again when no build, pull or run is under way',
    retryable: true,
  });
}
