/**
 * Makes of an image one with the same files that is written otherwise: its layers compressed in another way, Docker's
 * media types instead of OCI's, with annotations, or with no time later than a given one. What comes out lies in the store
 * like any image, so whatever takes images takes it; where nothing has to change, it is the very same.
 */
import { isDeepStrictEqual } from 'node:util';
import pLimit from 'p-limit';
import { adoptLayer, layerAt } from '../layer/adopt.ts';
import { CLAMP_TASK, type ClampRequest, clampTimes } from '../layer/clamp-times.ts';
import type { WrittenLayer } from '../layer/layer.ts';
import { parseImageConfig } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { DiffID } from '../oci/digest.ts';
import { type Index, isIndex, type Manifest, parseManifestOrIndex } from '../oci/manifest.ts';
import {
  DOCKER_CONFIG,
  DOCKER_LIST,
  DOCKER_MANIFEST,
  layerCompression,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
} from '../oci/media-types.ts';
import type { Platform } from '../oci/platform.ts';
import { inTempDir } from '../store/temp.ts';
import { type Annotation, type AnnotationScope, annotationsFor } from './annotations.ts';
import { encodeConfig } from './assemble.ts';
import { knownBlob, type LayerForming, layerType, makeBlob } from './layer-form.ts';
import { isAttestation } from './select.ts';

/** Without a `compression`, layers stay the blobs that they are. */
export interface ConvertOptions extends LayerForming {
  /** As they are, if absent. */
  readonly mediaTypes?: 'oci' | 'docker';
  readonly annotations?: readonly Annotation[];
  /** Seconds since 1970: what is later becomes this, for files as for the image. */
  readonly latest?: number;
}

/** `root` is a manifest's or an index's; annotations of descriptors are in what is returned. */
export async function convertImage(root: Descriptor, options: ConvertOptions): Promise<Descriptor> {
  const limited = { ...options, compressing: pLimit(1) };
  const document = read(limited, root);
  if (!isIndex(document)) return convertManifest(limited, root, document);
  const converted = await convertIndex(limited, root, document);
  return annotated(converted, options, 'index-descriptor');
}

interface Converting extends ConvertOptions {
  readonly compressing: ReturnType<typeof pLimit>;
}

async function convertIndex(
  options: Converting,
  descriptor: Descriptor,
  index: Index,
): Promise<Descriptor> {
  const { store } = options;
  const manifests: Descriptor[] = [];
  for (const child of index.manifests) {
    // What is beside the images, and what the store lacks, is left as it is.
    const isImage = !isAttestation(child) && store.blobSize(child.digest) === child.size;
    const document = isImage ? read(options, child) : undefined;
    if (document === undefined || isIndex(document)) manifests.push(child);
    else manifests.push(await convertManifest(options, child, document));
  }
  return write(options, descriptor, index, {
    mediaType: mediaTypeOf(options, OCI_INDEX, DOCKER_LIST, index.mediaType),
    manifests,
    annotations: {
      ...index.annotations,
      ...annotationsFor(options.annotations ?? [], 'index'),
    },
  });
}

async function convertManifest(
  options: Converting,
  descriptor: Descriptor,
  manifest: Manifest,
): Promise<Descriptor> {
  const { store } = options;
  const config = parseImageConfig(store.readBlob(manifest.config.digest));
  const { os, architecture, variant } = config;
  const platform = descriptor.platform ?? { os, architecture, ...(variant ? { variant } : {}) };
  const dated = await clamp(options, manifest);
  const mediaType = mediaTypeOf(options, OCI_MANIFEST, DOCKER_MANIFEST, manifest.mediaType);
  const layers: Descriptor[] = [];
  for (const [at, layer] of dated.layers.entries())
    layers.push(await formed(options, layer, dated.diffIDs[at], mediaType));
  const configType = mediaTypeOf(options, OCI_CONFIG, DOCKER_CONFIG, manifest.config.mediaType);
  const converted = write(options, descriptor, manifest, {
    mediaType,
    config: { ...dated.config, mediaType: configType },
    layers,
    annotations: {
      ...manifest.annotations,
      ...annotationsFor(options.annotations ?? [], 'manifest', platform),
    },
  });
  return annotated(converted, options, 'manifest-descriptor', platform);
}

async function formed(
  options: Converting,
  layer: Descriptor,
  diffID: DiffID | undefined,
  manifestType: string,
): Promise<Descriptor> {
  const wanted = { layer, diffID, manifestType };
  const blob =
    options.compression === undefined
      ? layer
      : (knownBlob(options, wanted) ??
        (await options.compressing(() => makeBlob(options, wanted))));
  const compression = layerCompression(blob.mediaType);
  if (options.mediaTypes === undefined || compression === undefined) return blob;
  return { ...blob, mediaType: layerType(compression, manifestType) };
}

interface Dated {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly diffIDs: readonly DiffID[];
}

/** With no time after the latest, in layers and configuration. */
async function clamp(options: Converting, manifest: Manifest): Promise<Dated> {
  const { store, latest } = options;
  const config = parseImageConfig(store.readBlob(manifest.config.digest));
  const before = config.rootfs.diff_ids;
  if (latest === undefined)
    return { config: manifest.config, layers: manifest.layers, diffIDs: before };
  const layers: Descriptor[] = [];
  const diffIDs: DiffID[] = [];
  for (const [at, layer] of manifest.layers.entries()) {
    const written = await clampLayer(options, before[at]!);
    const { diffID, size } = written ?? { diffID: before[at]!, size: layer.size };
    diffIDs.push(diffID);
    layers.push(written ? { mediaType: OCI_LAYER, digest: diffID, size } : layer);
  }
  const limit = latest * 1000;
  let isLater = diffIDs.some((diffID, at) => diffID !== before[at]);
  const earlier = <T extends { readonly created?: string }>(dated: T): T => {
    if (dated.created === undefined || Date.parse(dated.created) <= limit) return dated;
    isLater = true;
    return { ...dated, created: new Date(limit).toISOString().replace('.000Z', 'Z') };
  };
  const clamped = {
    ...earlier(config),
    rootfs: { type: 'layers' as const, diff_ids: diffIDs },
    ...(config.history ? { history: config.history.map(earlier) } : {}),
  };
  if (!isLater) return { config: manifest.config, layers, diffIDs };
  const bytes = encodeConfig(clamped);
  return { config: { ...manifest.config, ...store.writeBlob(bytes) }, layers, diffIDs };
}

/** Larger layers are left to a thread. */
const SMALL_BYTES = 8 * 1024 * 1024;

async function clampLayer(
  { store, workers, latest, signal }: Converting,
  diffID: DiffID,
): Promise<{ readonly diffID: DiffID; readonly size: number } | undefined> {
  const layer = layerAt(store, diffID);
  if (layer === undefined || latest === undefined) return undefined;
  return inTempDir(store, async (directory) => {
    const request: ClampRequest = { layer: { tar: layer.tar }, latest, directory };
    const written =
      layer.size <= SMALL_BYTES
        ? clampTimes(request)
        : ((await workers.run(CLAMP_TASK, request, signal ? { signal } : {})) as
            | WrittenLayer
            | undefined);
    return written && adoptLayer(store, written);
  });
}

/** Other members, and their order, stay as they are; the very same descriptor if no member changes. */
function write(
  { store }: Converting,
  descriptor: Descriptor,
  before: Manifest | Index,
  members: Partial<Manifest & Index> & { readonly mediaType: string },
): Descriptor {
  const changed = Object.entries(members).filter(
    ([name, value]) => !isDeepStrictEqual(value, before[name as keyof typeof before] ?? {}),
  );
  if (changed.length === 0) return descriptor;
  const original = JSON.parse(store.readBlob(descriptor.digest).toString('utf8'));
  const document = inOrderOf(original, { ...original, ...Object.fromEntries(changed) });
  const { digest, size } = store.writeBlob(Buffer.from(JSON.stringify(document)));
  return { ...descriptor, mediaType: members.mediaType, digest, size };
}

/** Parsing has its own order of members, and what comes out should differ in nothing but what was asked for. */
function inOrderOf(original: unknown, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value))
    return value.map((each, at) => inOrderOf((original as unknown[] | undefined)?.[at], each));
  const before = (original ?? {}) as Record<string, unknown>;
  const members = value as Record<string, unknown>;
  const keys = [...Object.keys(before).filter((key) => key in members), ...Object.keys(members)];
  return Object.fromEntries(keys.map((key) => [key, inOrderOf(before[key], members[key])]));
}

function annotated(
  descriptor: Descriptor,
  { annotations = [] }: ConvertOptions,
  scope: AnnotationScope,
  platform?: Platform,
): Descriptor {
  const own = annotationsFor(annotations, scope, platform);
  return Object.keys(own).length === 0
    ? descriptor
    : { ...descriptor, annotations: { ...descriptor.annotations, ...own } };
}

function mediaTypeOf(
  { mediaTypes }: ConvertOptions,
  oci: string,
  docker: string,
  before: string,
): string {
  if (mediaTypes === undefined) return before;
  return mediaTypes === 'oci' ? oci : docker;
}

function read({ store }: Converting, descriptor: Descriptor): Manifest | Index {
  return parseManifestOrIndex(store.readBlob(descriptor.digest), descriptor.mediaType);
}
