/**
 * Who uses content says so while it does: any number of builds, pulls and runs at a time, and only who is alone may remove
 * content. So a collection never takes a layer from under a build that has found it, and a process that is killed stands in
 * nobody's way.
 *
 * A user is present (host/presence.ts) among the users, and then looks whether there is an owner; an owner is present as that,
 * and then looks whether there are users. So of two that come at once, one sees the other at least. A user that sees an owner
 * waits for it by a lock, which the owner holds; and that is all that is done where there are no FIFOs. They are made by who
 * has the lock, so that none appear beside an owner that could not be present.
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
  const user = present(store.path(USERS));
  if (user !== undefined && isAlone(user, OWNER, store)) {
    return { [Symbol.asyncDispose]: async () => user[Symbol.dispose]() };
  }
  const lock = await acquireLock(store.path(LOCK), { shared: true, ...(signal ? { signal } : {}) });
  if (user === undefined) await makeRoles(store);
  return lock;
}

/** The store for oneself. @throws TsbuildError `CONFLICT` if somebody uses it */
export async function ownStore(store: Store): Promise<AsyncDisposable> {
  store.prepare();
  const lock = await tryLock(store.path(LOCK));
  if (lock === undefined) throw inUse(store);
  try {
    await makeRoles(store);
    const owner = present(store.path(OWNER));
    if (!isAlone(owner, USERS, store)) throw inUse(store);
    return {
      [Symbol.asyncDispose]: async () => {
        owner?.[Symbol.dispose]();
        await lock[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
}

/** Whether nobody is present as `other`; `presence` ends if that is not so, or cannot be told. */
function isAlone(presence: Disposable | undefined, other: string, store: Store): boolean {
  let alone = false;
  try {
    alone = !isAnybodyPresent(store.path(other));
  } finally {
    if (!alone) presence?.[Symbol.dispose]();
  }
  return alone;
}

async function makeRoles(store: Store): Promise<void> {
  await makeFifos([USERS, OWNER].map((role) => store.path(role)));
}

function inUse(store: Store): TsbuildError {
  return new TsbuildError('CONFLICT', `the store ${store.home} is in use`, {
    hint: 'try again when no build, pull or run is under way',
    retryable: true,
  });
}
