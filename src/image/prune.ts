/** Frees space: forgets images without a name, and removes what no image and no cached step needs. */

import fs from 'node:fs';
import type { DiffID } from '../oci/digest.ts';
import { type SweepOptions, type Swept, sweep } from '../store/gc.ts';
import { blobFileSize } from '../store/layout.ts';
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
  for (const image of store
    .images()
    .filter((image) => isForgettable(store, image, options.before))) {
    await store.forget(image.descriptor.digest);
  }
  const roots = store.images().map(({ descriptor }) => descriptor);
  return sweep(store, reachable(store, roots, options.cachedLayers()), options);
}

function isForgettable(
  store: Store,
  { name, descriptor }: StoredImage,
  before = Number.POSITIVE_INFINITY,
): boolean {
  const file = store.blobPath(descriptor.digest);
  return (
    name === undefined && (blobFileSize(file) === undefined || fs.statSync(file).mtimeMs <= before)
  );
}
