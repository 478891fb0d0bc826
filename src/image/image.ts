/**
 * Images: a manifest, the configuration that it names, and the layers, bottom first, as they lie in the store.
 *
 * An image comes into being by {@link assembleImage} (assemble.ts, from what a build made), by a pull (pull.ts) or from an archive
 * (load.ts). It leaves by a push (push.ts), into an archive (save.ts) or by removal (remove.ts). It never changes: a tag that
 * moves names another image. Its **imageID** is the digest of its configuration, which is the same whether layers are compressed
 * or not; its **digest** is that of its manifest, or of the index when there is one for several platforms.
 *
 *     const image = findImage(store, 'busybox', parsePlatform('linux/arm64'));
 *     const tree = stackTree(image.layers);
 */
import { isTsbuildError, TsbuildError } from '../errors.ts';
import { layerAt } from '../layer/adopt.ts';
import type { Layer } from '../layer/layer.ts';
import { type ImageConfig, parseImageConfig } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { DiffID, Digest } from '../oci/digest.ts';
import { isIndex, type Manifest, parseManifestOrIndex } from '../oci/manifest.ts';
import type { Platform } from '../oci/platform.ts';
import type { Store } from '../store/store.ts';
import { findStored } from './find.ts';
import { selectManifest } from './select.ts';

export interface Image {
  /** Of the manifest. */
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  /** Digest of the configuration. */
  readonly imageID: Digest;
  readonly config: ImageConfig;
  /** Bottom first; as many as the manifest and `config.rootfs.diff_ids` have. */
  readonly layers: readonly Layer[];
}

/**
 * The image that a name (in any form that Docker takes) or an id (whole, or the beginning of one) stands for.
 * @throws TsbuildError `IMAGE_NOT_FOUND`, also if a part of it is missing; `PLATFORM`; `USAGE` if the id is ambiguous
 */
export function findImage(store: Store, nameOrId: string, platform?: Platform): Image {
  const { name, descriptor } = findStored(store, nameOrId);
  return readImage(store, descriptor, platform, name ?? nameOrId);
}

/** {@link findImage}, or `undefined` if the store does not have the image, or not for the platform. */
export function findPresentImage(
  store: Store,
  nameOrId: string,
  platform?: Platform,
): Image | undefined {
  try {
    return findImage(store, nameOrId, platform);
  } catch (error) {
    const isMissing =
      isTsbuildError(error) && (error.code === 'IMAGE_NOT_FOUND' || error.code === 'PLATFORM');
    if (isMissing) return undefined;
    throw error;
  }
}

/**
 * The image of a manifest, or that for `platform` (else for this machine) of an index.
 * @throws TsbuildError `IMAGE_NOT_FOUND` if a part of it is missing, `PLATFORM`, `MANIFEST`
 */
export function readImage(
  store: Store,
  descriptor: Descriptor,
  platform?: Platform,
  name: string = descriptor.digest,
): Image {
  const chosen = selectManifest(store, descriptor, platform, name);
  return reportMissing(name, () => {
    const manifest = readManifest(store, chosen);
    const config = parseImageConfig(store.readBlob(manifest.config.digest));
    const { diff_ids: diffIDs } = config.rootfs;
    if (diffIDs.length !== manifest.layers.length) {
      const counts = `${manifest.layers.length} layers, its configuration speaks of ${diffIDs.length}`;
      throw new TsbuildError('MANIFEST', `image ${name}: its manifest has ${counts}`);
    }
    const layers = diffIDs.map((diffID) => requireLayer(store, diffID));
    return { descriptor: chosen, manifest, imageID: manifest.config.digest, config, layers };
  });
}

/** @throws TsbuildError `NOT_FOUND`, `MANIFEST` if it is something else */
export function readManifest(store: Store, descriptor: Descriptor): Manifest {
  const document = parseManifestOrIndex(store.readBlob(descriptor.digest), descriptor.mediaType);
  if (isIndex(document))
    throw new TsbuildError('MANIFEST', `${descriptor.digest} is an index, not a manifest`);
  return document;
}

function requireLayer(store: Store, diffID: DiffID): Layer {
  const layer = layerAt(store, diffID);
  if (layer === undefined)
    throw new TsbuildError('NOT_FOUND', `layer ${diffID} is not in the store`);
  return layer;
}

/** For whoever asked for the image, one that lacks a part is one that is not there: to be pulled or built again. */
function reportMissing<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!isTsbuildError(cause) || cause.code !== 'NOT_FOUND') throw cause;
    throw new TsbuildError('IMAGE_NOT_FOUND', `image ${name} is not complete: ${cause.message}`, {
      cause,
      hint: 'pull or build it again',
    });
  }
}
