/** One layer of a push: which blob it is sent as, made if there is none yet, and sent by the cheapest way. */
import { join } from 'node:path';
import type { EventSink } from '../events.ts';
import type { Workers } from '../host/workers.ts';
import { layerAt } from '../layer/adopt.ts';
import { compressLayer } from '../layer/compress.ts';
import type { Layer } from '../layer/layer.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { DiffID } from '../oci/digest.ts';
import {
  type Compression,
  DOCKER_LAYER_GZIP,
  DOCKER_MANIFEST,
  layerCompression,
  ociLayerType,
} from '../oci/media-types.ts';
import type { Repository } from '../registry/repository.ts';
import type { Store } from '../store/store.ts';
import { inTempDir } from '../store/temp.ts';
import { type LayerBlob, noteLayerBlob, readLayerBlobs } from './layer-blobs.ts';
import { startTransfer } from './transfer-progress.ts';

export interface LayerPush {
  readonly store: Store;
  readonly target: Repository;
  readonly workers: Workers;
  readonly step: string;
  readonly emit?: EventSink;
  readonly signal?: AbortSignal;
  readonly compression?: Compression;
  readonly compressionLevel?: number;
}

/** A layer as its manifest has it. */
export interface ManifestLayer {
  readonly layer: Descriptor;
  /** Unknown for what is not a layer of files. */
  readonly diffID: DiffID | undefined;
  /** Of the manifest. */
  readonly manifestType: string;
}

/**
 * The blob to send, if it need not be made: the very one of the manifest if it is compressed, or came from a registry as it
 * is; else one that was made of it before.
 */
export function knownBlob(
  push: LayerPush,
  { layer, diffID, manifestType }: ManifestLayer,
): Descriptor | undefined {
  const { store } = push;
  const is = layerCompression(layer.mediaType);
  if (is === undefined || diffID === undefined) return layer;
  const here = store.blobSize(layer.digest) === layer.size;
  const notes = readLayerBlobs(store, diffID);
  const cameSo = notes.some(
    ({ digest, repositories }) => digest === layer.digest && repositories.length > 0,
  );
  const wanted = formatFor(push, manifestType);
  if (here && (is !== 'none' || wanted === 'none' || cameSo)) return layer;
  const made = notes.find(
    ({ compression, digest, size }) => compression === wanted && store.blobSize(digest) === size,
  );
  return made && described(layer, made, manifestType);
}

/** Makes the blob to send of the layer's tar; or takes one that the registry has, though the store has lost it. */
export async function makeBlob(push: LayerPush, manifestLayer: ManifestLayer): Promise<Descriptor> {
  const { store, target, signal } = push;
  const { layer, diffID, manifestType } = manifestLayer;
  // The same layer may have been made in the meantime for another image of the index.
  const known = knownBlob(push, manifestLayer);
  if (known !== undefined) return known;
  const format = formatFor(push, manifestType);
  const tar = diffID && layerAt(store, diffID);
  if (diffID === undefined || tar === undefined || format === 'none') return layer;
  const lost = readLayerBlobs(store, diffID).find(
    ({ compression, digest }) => compression === format || digest === layer.digest,
  );
  if (lost !== undefined) {
    const descriptor = lost.digest === layer.digest ? layer : described(layer, lost, manifestType);
    if (await target.exists(descriptor, signal ? { signal } : {})) return descriptor;
  }
  const blob = await compress(push, tar, format);
  noteLayerBlob(store, diffID, blob);
  return described(layer, blob, manifestType);
}

/** Sends a layer's blob, mounting it from where it is known to be in the same registry. */
export async function sendLayer(
  push: LayerPush,
  blob: Descriptor,
  diffID: DiffID | undefined,
): Promise<Descriptor> {
  const { store, target } = push;
  const compression = layerCompression(blob.mediaType);
  if (diffID === undefined || compression === undefined) return send(push, blob);
  const own = `${target.registry}/`;
  const known =
    readLayerBlobs(store, diffID).find(({ digest }) => digest === blob.digest)?.repositories ?? [];
  const mountFrom = known
    .map((name) => (name.startsWith(own) ? name.slice(own.length) : ''))
    .find((name) => name !== '' && name !== target.repository);
  await send(push, blob, mountFrom);
  noteLayerBlob(store, diffID, { ...blob, compression }, own + target.repository);
  return blob;
}

/** Sends a blob of the store. */
export async function send(
  push: LayerPush,
  blob: Descriptor,
  mountFrom?: string,
): Promise<Descriptor> {
  const { store, target, step, emit, signal } = push;
  const common = signal ? { signal } : {};
  const transfer = startTransfer(emit, step, blob);
  const outcome = await target.push(blob, () => store.fetch(blob, common), {
    ...common,
    ...(mountFrom === undefined ? {} : { mountFrom }),
    onProgress: transfer.moved,
  });
  transfer.done(outcome === 'pushed' ? undefined : outcome);
  return blob;
}

async function compress(
  push: LayerPush,
  layer: Layer,
  format: 'gzip' | 'zstd',
): Promise<LayerBlob> {
  const { store, workers, step, emit, signal, compressionLevel } = push;
  const transfer = startTransfer(
    emit,
    step,
    { digest: layer.diffID, size: layer.size },
    'compress ',
  );
  const blob = await inTempDir(store, async (directory) => {
    const target = join(directory, 'blob');
    const made = await compressLayer(
      { layer, format, target, level: compressionLevel },
      { workers, onProgress: transfer.moved, ...(signal ? { signal } : {}) },
    );
    store.adoptBlob(target, made.digest);
    return made;
  });
  transfer.done();
  return { compression: format, ...blob, repositories: [] };
}

/** Docker's manifests know no zstd. */
function formatFor({ compression = 'gzip' }: LayerPush, manifestType: string): Compression {
  return manifestType === DOCKER_MANIFEST && compression === 'zstd' ? 'gzip' : compression;
}

function described(layer: Descriptor, blob: LayerBlob, manifestType: string): Descriptor {
  const { compression, digest, size } = blob;
  const docker = manifestType === DOCKER_MANIFEST && compression === 'gzip';
  return {
    ...layer,
    mediaType: docker ? DOCKER_LAYER_GZIP : ociLayerType(compression),
    digest,
    size,
  };
}
