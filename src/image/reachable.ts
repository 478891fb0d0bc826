/** What images and cached steps need of the store's content: everything else may be collected. */
import { isTsbuildError } from '../errors.ts';
import { parseImageConfig } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { DiffID, Digest } from '../oci/digest.ts';
import { children, isIndex, type Manifest, parseManifestOrIndex } from '../oci/manifest.ts';
import { isIndexType, isManifestType } from '../oci/media-types.ts';
import type { LiveContent } from '../store/gc.ts';
import type { Store } from '../store/store.ts';
import { readLayerBlobs } from './layer-blobs.ts';

export function reachable(
  store: Store,
  roots: Iterable<Descriptor>,
  cachedLayers: Iterable<DiffID> = [],
): LiveContent {
  const blobs = new Set<Digest>();
  const layers = new Set<DiffID>(cachedLayers);
  const visit = (descriptor: Descriptor) => {
    if (blobs.has(descriptor.digest)) return;
    blobs.add(descriptor.digest);
    if (!isIndexType(descriptor.mediaType) && !isManifestType(descriptor.mediaType)) return;
    const document = usable(() =>
      parseManifestOrIndex(store.readBlob(descriptor.digest), descriptor.mediaType),
    );
    if (document === undefined) return;
    for (const child of children(document)) visit(child);
    if (!isIndex(document)) for (const diffID of diffIDsOf(store, document)) layers.add(diffID);
  };
  for (const root of roots) visit(root);
  for (const diffID of layers) {
    blobs.add(diffID);
    // Compressed once, kept as long as the layer.
    for (const { digest } of readLayerBlobs(store, diffID)) blobs.add(digest);
  }
  return { blobs, layers };
}

/** None for what only looks like an image: attestations and other artifacts. */
function diffIDsOf(store: Store, manifest: Manifest): readonly DiffID[] {
  const config = usable(() => parseImageConfig(store.readBlob(manifest.config.digest)));
  return config?.rootfs.diff_ids ?? [];
}

/** What is missing or damaged needs nothing any more; any other error must not make content look unneeded. */
function usable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (isTsbuildError(error) && ['NOT_FOUND', 'DIGEST_MISMATCH', 'MANIFEST'].includes(error.code))
      return undefined;
    throw error;
  }
}
