/**
 * Who uses content says so while it does: any number of builds, pulls and runs at a time, and only who is alone may remove
 * content. So a collection never takes a layer from under a build that has found it, and a process that is killed stands in
 * nobody's way.
 *
 * A user is present (host/presence.ts) among the users, and then looks whether there is an owner; an owner is present as that,
 * and then looks whether there are users. So of two that come at once, one sees the other at least. A user that sees an owner
 * waits for it by a lock, which the owner holds; and that is all that is done where there are no FIFOs.
 */
import { TsbuildError } from '../errors.ts';
import { acquireLock, tryLock } from '../host/lock.ts';
import { isAnybodyPresent, makeFifos, present } from '../host/presence.ts';
import type { Store } from './store.ts';

const LOCK = 'locks/use';
const USERS = 'locks/users';
const OWNER = 'locks/owner';

/** Keeps what is in the store from being removed, until it is disposed of. Waits for a collection under way. */
export async function useStore(store: Store, signal?: AbortSignal): Promise<AsyncDisposable> {
  store.prepare();
  const user = await presentAs(USERS, store);
  if (user !== undefined) {
    if (!isAnybodyPresent(store.path(OWNER)))
      return { [Symbol.asyncDispose]: async () => user[Symbol.dispose]() };
    user[Symbol.dispose]();
  }
  return await acquireLock(store.path(LOCK), { shared: true, ...(signal ? { signal } : {}) });
}

/** The store for oneself. @throws TsbuildError `CONFLICT` if somebody uses it */
export async function ownStore(store: Store): Promise<AsyncDisposable> {
  store.prepare();
  const lock = await tryLock(store.path(LOCK));
  if (lock === undefined) throw inUse(store);
  const owner = await presentAs(OWNER, store);
  const leave = async (): Promise<void> => {
    owner?.[Symbol.dispose]();
    await lock[Symbol.asyncDispose]();
  };
  if (!isAnybodyPresent(store.path(USERS))) return { [Symbol.asyncDispose]: leave };
  await leave();
  throw inUse(store);
}

async function presentAs(role: string, store: Store): Promise<Disposable | undefined> {
  const found = present(store.path(role));
  if (found !== undefined) return found;
  await makeFifos([USERS, OWNER].map((name) => store.path(name)));
  return present(store.path(role));
}

function inUse(store: Store): TsbuildError {
  return new TsbuildError('CONFLICT', `the store ${store.home} is in use`, {
    hint: 'try again when no build, pull or run is under way',
    retryable: true,
  });
}
