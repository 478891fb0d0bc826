/** What `images`, `inspect` and `history` show: the store's images as plain data. */
import { imageIDOf, presentManifests } from './image/find.ts';
import { findImage, readManifest } from './image/image.ts';
import { type ImageConfig, parseImageConfig, type RunConfig } from './oci/config.ts';
import type { Descriptor } from './oci/descriptor.ts';
import { layerCompression } from './oci/media-types.ts';
import { formatPlatform } from './oci/platform.ts';
import { familiarReference, parseReference, type Reference } from './oci/reference.ts';
import type { Store } from './store/store.ts';

/** One name, or an image without name; an image of several platforms has a row for each that the store has. */
export interface ImageSummary {
  /** As people write it; absent for an image that has lost its names. */
  readonly name?: string;
  /** Of the manifest. */
  readonly digest: string;
  /** Of the configuration. */
  readonly imageId: string;
  readonly platform: string;
  /** RFC 3339. */
  readonly created?: string;
  /** Bytes of the layers, uncompressed. */
  readonly size: number;
}

/** The members of `docker image inspect` that say something here. */
export interface ImageDetails {
  readonly Id: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  readonly Created?: string;
  readonly Author?: string;
  readonly Config: RunConfig;
  readonly Architecture: string;
  readonly Variant?: string;
  readonly Os: string;
  readonly Size: number;
  readonly RootFS: { readonly Type: 'layers'; readonly Layers: readonly string[] };
  readonly Descriptor: Descriptor;
}

export interface HistoryRow {
  readonly created?: string;
  readonly createdBy: string;
  readonly comment?: string;
  /** Bytes of the layer, uncompressed; 0 for a step that made none. */
  readonly size: number;
  /** The layer's diffID. */
  readonly layer?: string;
}

/** Newest first. @throws TsbuildError `USAGE` if `name` is none */
export function summarizeImages(store: Store, name?: string): readonly ImageSummary[] {
  const matches = name === undefined ? () => true : nameMatcher(name);
  return store
    .images()
    .filter((image) => matches(image.name))
    .flatMap((image) =>
      presentManifests(store, image).flatMap((manifest) => summarize(store, manifest, image.name)),
    )
    .sort((a, b) => (b.created ?? '').localeCompare(a.created ?? ''));
}

export function imageDetails(store: Store, nameOrId: string): ImageDetails {
  const { descriptor, config, imageID } = findImage(store, nameOrId);
  const named = store.tags().filter((tag) => contains(store, tag.descriptor, descriptor));
  const references = named.map((tag) => parseReference(tag.name));
  return {
    Id: imageID,
    RepoTags: references.filter((each) => each.tag).map(familiarReference),
    RepoDigests: isAsInRegistries(store, descriptor) ? digestNames(references, descriptor) : [],
    ...(config.created === undefined ? {} : { Created: config.created }),
    ...(config.author === undefined ? {} : { Author: config.author }),
    Config: config.config ?? {},
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    Size: layersSize(store, config),
    RootFS: { Type: 'layers', Layers: config.rootfs.diff_ids },
    Descriptor: descriptor,
  };
}

/** What we have built goes to registries compressed, under a digest that only the push can tell. */
function isAsInRegistries(store: Store, descriptor: Descriptor): boolean {
  const { layers } = readManifest(store, descriptor);
  return layers.every(({ mediaType }) => layerCompression(mediaType) !== 'none');
}

function digestNames(references: readonly Reference[], { digest }: Descriptor): readonly string[] {
  const names = references.map(({ registry, repository }) =>
    familiarReference({ registry, repository, digest }),
  );
  return [...new Set(names)];
}

/** Newest first. Layers that no entry of the history accounts for come last, at the bottom of the image. */
export function historyRows(store: Store, nameOrId: string): readonly HistoryRow[] {
  const { config } = findImage(store, nameOrId);
  const layers = [...config.rootfs.diff_ids];
  const entries = config.history ?? [];
  const unexplained = layers.splice(
    0,
    Math.max(0, layers.length - entries.filter((entry) => !entry.empty_layer).length),
  );
  const row = (layer: (typeof layers)[number] | undefined) =>
    layer === undefined ? { size: 0 } : { size: store.blobSize(layer) ?? 0, layer };
  const explained = entries.map(({ created, created_by = '', comment, empty_layer }) => ({
    ...(created === undefined ? {} : { created }),
    createdBy: created_by,
    ...(comment === undefined ? {} : { comment }),
    ...row(empty_layer ? undefined : layers.shift()),
  }));
  return [
    ...unexplained.map((layer) => ({ createdBy: '', ...row(layer) })),
    ...explained,
  ].reverse();
}

function summarize(store: Store, manifest: Descriptor, name: string | undefined): ImageSummary[] {
  const imageId = imageIDOf(store, manifest);
  if (imageId === undefined || store.blobSize(imageId) === undefined) return [];
  const config = parseImageConfig(store.readBlob(imageId));
  const { created } = config;
  return [
    {
      ...(name === undefined ? {} : { name: familiarReference(parseReference(name)) }),
      digest: manifest.digest,
      imageId,
      platform: formatPlatform(config),
      ...(created === undefined ? {} : { created }),
      size: layersSize(store, config),
    },
  ];
}

/** A name without tag means every tag of its repository. */
function nameMatcher(pattern: string): (name: string | undefined) => boolean {
  const { registry, repository, tag } = parseReference(pattern);
  const wholeRepository = !pattern.slice(pattern.lastIndexOf('/') + 1).includes(':');
  return (name) => {
    if (name === undefined) return false;
    const stored = parseReference(name);
    if (stored.registry !== registry || stored.repository !== repository) return false;
    return wholeRepository || stored.tag === tag;
  };
}

function contains(store: Store, tagged: Descriptor, manifest: Descriptor): boolean {
  if (tagged.digest === manifest.digest) return true;
  const manifests = presentManifests(store, { descriptor: tagged });
  return manifests.some(({ digest }) => digest === manifest.digest);
}

/** A pulled layer whose tar is not beside it counts as it was sent. */
function layersSize(store: Store, config: ImageConfig): number {
  return config.rootfs.diff_ids.reduce((sum, diffID) => sum + (store.blobSize(diffID) ?? 0), 0);
}
