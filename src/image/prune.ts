/** Frees space: forgets images without a name, and removes what no image and no cached step needs. */

import fs from 'node:fs';
import { isTsbuildError } from '../errors.ts';
import type { DiffID, Digest } from '../oci/digest.ts';
import { type SweepOptions, type Swept, sweep } from '../store/gc.ts';
import { ownStore } from '../store/lease.ts';
import type { Store, StoredImage } from '../store/store.ts';
import { reachable } from './reachable.ts';

export interface PruneOptions extends SweepOptions {
  /** Layers of the cache's records. Called when nobody else uses the store: a place to drop records first. */
  readonly cachedLayers: () => Iterable<DiffID>;
}

/** @throws TsbuildError `CONFLICT` if a build, pull or run is under way */
export async function prune(store: Store, options: PruneOptions): Promise<Swept> {
  await using _store = await ownStore(store);
  const gone = forgettable(store, options.before);
  const forgotten = await store.forget(...gone).then(() => true, isDiskFull);
  const roots = store
    .images()
    .flatMap(({ descriptor }) => (gone.has(descriptor.digest) ? [] : [descriptor]));
  const swept = await sweep(store, reachable(store, roots, options.cachedLayers()), options);
  // Where not even the list of images could be written anew, there is now room for it.
  if (!forgotten) await store.forget(...gone);
  return swept;
}

/** `false` for a full disk. @throws any other error */
function isDiskFull(error: unknown): false {
  if (isTsbuildError(error) && error.code === 'DISK_FULL') return false;
  throw error;
}

/** Images without a name. */
function forgettable(store: Store, before = Number.POSITIVE_INFINITY): ReadonlySet<Digest> {
  const images = store.images();
  const digestsOf = (some: readonly StoredImage[]) =>
    some.map(({ descriptor }) => descriptor.digest);
  const named = new Set(digestsOf(images.filter(({ name }) => name !== undefined)));
  const nameless = digestsOf(images).filter((digest) => !named.has(digest));
  return new Set(nameless.filter((digest) => isOlder(store.blobPath(digest), before)));
}

/** What is not there was lost long ago. */
function isOlder(file: string, before: number): boolean {
  return (fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) <= before;
}
