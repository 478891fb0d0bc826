/** Takes names from images, and images from the store. */
import type { Digest } from '../oci/digest.ts';
import type { Store } from '../store/store.ts';
import { findStored, presentManifests } from './find.ts';

export interface RemovedImage {
  /** Full references that are no more. */
  readonly untagged: readonly string[];
  /** Images that are gone with that, having no other name: digests of their manifests or indexes. */
  readonly removed: readonly Digest[];
}

/**
 * Removes one name; or, by an id, the image with all its names. Its content stays until nothing else needs it and `prune`
 * collects it. @throws TsbuildError `IMAGE_NOT_FOUND`, `USAGE`
 */
export async function removeImage(store: Store, nameOrId: string): Promise<RemovedImage> {
  const found = findStored(store, nameOrId);
  const before = store.images();
  if (found.name !== undefined) {
    await store.untag(found.name);
  } else {
    const holders = before.filter(
      (image) =>
        image.descriptor.digest === found.descriptor.digest ||
        presentManifests(store, image).some(({ digest }) => digest === found.descriptor.digest),
    );
    for (const { descriptor } of holders) await store.forget(descriptor.digest);
  }
  const after = store.images();
  const isGone = (digest: Digest) => !after.some(({ descriptor }) => descriptor.digest === digest);
  const names = new Set(after.map(({ name }) => name));
  return {
    untagged: before.flatMap(({ name }) => (name === undefined || names.has(name) ? [] : [name])),
    removed: [...new Set(before.map(({ descriptor }) => descriptor.digest))].filter(isGone),
  };
}
