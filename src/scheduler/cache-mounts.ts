/** Cache mounts: which directory of the store each is, and who may use it at the same time. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecMount } from '../executor/protocol.ts';
import type { CacheMount, RunMount, RunOp } from '../graph/step.ts';
import { acquireLock, tryLock } from '../host/lock.ts';
import { digestOf, hexOf } from '../oci/digest.ts';
import type { StepContext } from './handler.ts';
import { type SourceLayers, sourceLayers } from './mount-sources.ts';
import type { MountEnvironment } from './mounts.ts';

/** Where a cache is kept, and what it begins with. */
export interface LocatedCache {
  readonly directory: string;
  readonly seed: SourceLayers | undefined;
}

/**
 * The step's caches, and the locks that hold until it ends: `locked` waits for other steps, `private` takes the first
 * directory that is free. One cache mounted twice is one directory. Locks are taken in one order by all steps, lest two wait
 * for each other.
 */
export async function locateCaches(
  context: StepContext<RunOp>,
  environment: MountEnvironment,
  releases: AsyncDisposable[],
): Promise<ReadonlyMap<RunMount, LocatedCache>> {
  const mounts = context.step.op.mounts.filter((mount) => mount.type === 'cache');
  const located = new Map<CacheMount, LocatedCache>();
  for (const mount of mounts) {
    located.set(mount, await locateCache(mount, context, environment));
  }
  if (mounts.length > 0) mkdirSync(environment.cacheMounts, { recursive: true, mode: 0o700 });
  const shares = (sharing: CacheMount['sharing']) => {
    const asked = mounts.filter((mount) => mount.sharing === sharing);
    return [...new Set(asked.map((mount) => located.get(mount)!.directory))].sort();
  };
  const taken = new Map<string, string>();
  for (const directory of shares('locked')) {
    releases.push(await acquireLock(`${directory}.lock`, { signal: context.signal }));
    taken.set(directory, directory);
  }
  for (const directory of shares('private')) {
    if (taken.has(directory)) continue;
    const free = await firstFree(directory);
    releases.push(free.lock);
    taken.set(directory, free.directory);
  }
  return new Map(
    [...located].map(([mount, { directory, seed }]) => [
      mount,
      { directory: taken.get(directory) ?? directory, seed },
    ]),
  );
}

async function locateCache(
  { id, from, source, mode, uid, gid }: CacheMount,
  context: StepContext<RunOp>,
  environment: MountEnvironment,
): Promise<LocatedCache> {
  const origin = from ?? (source === '' ? undefined : NOTHING);
  const seed =
    origin === undefined ? undefined : await sourceLayers(context, environment, origin, source);
  // Caches that began with different files, or as different directories, are different caches, whatever their id.
  const identity = [id];
  if (seed !== undefined) identity.push(seed.path, ...seed.layers.map((layer) => layer.diffID));
  else if (mode !== 0o755 || uid !== 0 || gid !== 0) identity.push(`${mode} ${uid}:${gid}`);
  const name = hexOf(digestOf(identity.join('\n'))).slice(0, 32);
  return { directory: join(environment.cacheMounts, name), seed };
}

/** What a cache mount with a source, but without `from`, takes that from. */
const NOTHING = { type: 'nothing' } as const;

export function prepareCache(
  mount: CacheMount,
  target: string,
  { directory: source, seed }: LocatedCache,
): ExecMount {
  const { readonly, mode, uid, gid } = mount;
  return { type: 'cache', source, target, readonly, mode, uid, gid, ...(seed ? { seed } : {}) };
}

async function firstFree(base: string): Promise<{ directory: string; lock: AsyncDisposable }> {
  for (let number = 0; ; number += 1) {
    const directory = number === 0 ? base : `${base}.${number}`;
    const lock = await tryLock(`${directory}.lock`);
    if (lock !== undefined) return { directory, lock };
  }
}
