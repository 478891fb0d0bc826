/** Which blob a layer goes out as: the one that it came as, one that was made of it before, or a new one of its tar. */
import { join } from 'node:path';
import type { EventSink } from '../events.ts';
import { type GrowingFile, growingFile } from '../host/growing-file.ts';
import { inlineWorkers, type Workers } from '../host/workers.ts';
import { layerAt } from '../layer/adopt.ts';
import { COMPRESS_TASK, compressLayer } from '../layer/compress.ts';
import { compressRange, type RangeRequest } from '../layer/compress-range.ts';
import type { Layer } from '../layer/layer.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { DiffID } from '../oci/digest.ts';
import {
  type Compression,
  DOCKER_LAYER,
  DOCKER_LAYER_GZIP,
  DOCKER_MANIFEST,
  layerCompression,
  ociLayerType,
} from '../oci/media-types.ts';
import type { Store } from '../store/store.ts';
import { inTempDir } from '../store/temp.ts';
import { type LayerBlob, noteLayerBlob, readLayerBlobs } from './layer-blobs.ts';
import { startTransfer } from './transfer-progress.ts';

export interface LayerFormat {
  /** Of layers that are not compressed already; gzip by default. */
  readonly compression?: Compression;
  readonly compressionLevel?: number;
  /** Of all layers, also those that came compressed. */
  readonly forceCompression?: boolean;
}

/** Only what was said of it. */
export function layerFormat(format: LayerFormat): LayerFormat {
  const { compression, compressionLevel, forceCompression } = format;
  return {
    ...(compression === undefined ? {} : { compression }),
    ...(compressionLevel === undefined ? {} : { compressionLevel }),
    ...(forceCompression === undefined ? {} : { forceCompression }),
  };
}

/** What forming a layer takes; progress is told for `step`. */
export interface LayerForming extends LayerFormat {
  readonly store: Store;
  readonly workers: Workers;
  readonly step: string;
  readonly emit?: EventSink;
  readonly signal?: AbortSignal;
}

/** A layer as its manifest has it. */
export interface ManifestLayer {
  readonly layer: Descriptor;
  /** Unknown for what is not a layer of files. */
  readonly diffID: DiffID | undefined;
  /** Of the manifest. */
  readonly manifestType: string;
}

/** The blob, if it need not be made. */
export function knownBlob(
  forming: LayerFormat & Pick<LayerForming, 'store'>,
  { layer, diffID, manifestType }: ManifestLayer,
): Descriptor | undefined {
  const { store, compressionLevel: level, forceCompression = false } = forming;
  const is = layerCompression(layer.mediaType);
  if (is === undefined || diffID === undefined) return layer;
  const here = store.blobSize(layer.digest) === layer.size;
  const notes = readLayerBlobs(store, diffID);
  const cameSo = notes.some(
    ({ digest, repositories }) => digest === layer.digest && repositories.length > 0,
  );
  const wanted = formatFor(forming, manifestType);
  if (here && (is === wanted || (!forceCompression && (is !== 'none' || cameSo)))) return layer;
  const tar = wanted === 'none' ? layerAt(store, diffID) : undefined;
  if (tar !== undefined) return described(layer, plainBlob(tar), manifestType);
  const made = notes.find(
    (blob) =>
      blob.compression === wanted &&
      // Made at another level, it would let the digest depend on what was pushed before.
      (blob.level === level || blob.repositories.length > 0) &&
      store.blobSize(blob.digest) === blob.size,
  );
  return made && described(layer, made, manifestType);
}

export interface MakeOptions {
  /** Whether who will get the blob has one already that the store has lost. */
  readonly isElsewhere?: (blob: Descriptor) => Promise<boolean>;
  /** Gets the blob's file while it is written, if it is large and has to be made. It is closed when `released` settles. */
  readonly onStart?: (blob: GrowingFile) => { readonly released: Promise<unknown> };
}

/** Makes the blob of the layer's tar, unless it is there. */
export async function makeBlob(
  forming: LayerForming,
  manifestLayer: ManifestLayer,
  { isElsewhere = async () => false, onStart }: MakeOptions = {},
): Promise<Descriptor> {
  const { store } = forming;
  const { layer, diffID, manifestType } = manifestLayer;
  // The same layer may have been made in the meantime for another image of the index.
  const known = knownBlob(forming, manifestLayer);
  if (known !== undefined) return known;
  const format = formatFor(forming, manifestType);
  const tar = diffID && layerAt(store, diffID);
  if (diffID === undefined || tar === undefined || format === 'none') return layer;
  const lost = readLayerBlobs(store, diffID).find(
    ({ compression, digest }) => compression === format || digest === layer.digest,
  );
  if (lost !== undefined) {
    const descriptor = lost.digest === layer.digest ? layer : described(layer, lost, manifestType);
    if (await isElsewhere(descriptor)) return descriptor;
  }
  const blob = await compress(forming, tar, format, onStart);
  noteLayerBlob(store, diffID, blob);
  return described(layer, blob, manifestType);
}

/** Below this, starting a thread takes longer than the work. */
const SMALL_BYTES = 2 * 1024 * 1024;

async function compress(
  forming: LayerForming,
  layer: Layer,
  format: 'gzip' | 'zstd',
  onStart: MakeOptions['onStart'],
): Promise<LayerBlob> {
  const { store, step, emit, signal, compressionLevel: level } = forming;
  const workers = layer.size <= SMALL_BYTES ? thisThread() : forming.workers;
  const subject = { digest: layer.diffID, size: layer.size };
  const transfer = startTransfer(emit, step, subject, 'compress');
  const blob = await inTempDir(store, async (directory) => {
    const target = join(directory, 'blob');
    const growing = onStart && layer.size > SMALL_BYTES ? growingFile(target) : undefined;
    const use = growing && onStart?.(growing);
    void use?.released.catch(() => {}).finally(() => growing?.[Symbol.dispose]());
    try {
      const made = await compressLayer(
        { layer, format, target, level },
        {
          workers,
          onProgress: transfer.moved,
          ...(growing ? { onWritten: growing.grown } : {}),
          ...(signal ? { signal } : {}),
        },
      );
      store.adoptBlob(target, made.digest);
      growing?.end();
      return made;
    } catch (error) {
      growing?.end(error);
      throw error;
    }
  });
  transfer.done();
  return {
    compression: format,
    ...blob,
    ...(level === undefined ? {} : { level }),
    repositories: [],
  };
}

function thisThread(): Workers {
  return inlineWorkers({ [COMPRESS_TASK]: (request: RangeRequest) => compressRange(request) });
}

/** Docker's manifests know no zstd. */
function formatFor({ compression = 'gzip' }: LayerFormat, manifestType: string): Compression {
  return manifestType === DOCKER_MANIFEST && compression === 'zstd' ? 'gzip' : compression;
}

function plainBlob({ diffID, size }: Layer): LayerBlob {
  return { compression: 'none', digest: diffID, size, repositories: [] };
}

function described(layer: Descriptor, blob: LayerBlob, manifestType: string): Descriptor {
  const { compression, digest, size } = blob;
  return { ...layer, mediaType: layerType(compression, manifestType), digest, size };
}

/** The media type of a layer in a manifest of this type. */
export function layerType(compression: Compression, manifestType: string): string {
  if (manifestType !== DOCKER_MANIFEST || compression === 'zstd') return ociLayerType(compression);
  return compression === 'gzip' ? DOCKER_LAYER_GZIP : DOCKER_LAYER;
}
