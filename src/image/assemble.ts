/** Makes an image of layers and a configuration. Equal input gives equal bytes, hence equal digests, anywhere and at any time. */
import type { Layer } from '../layer/layer.ts';
import type { ImageConfig } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Manifest } from '../oci/manifest.ts';
import {
  layerCompression,
  OCI_CONFIG,
  OCI_LAYER,
  OCI_MANIFEST,
  ociLayerType,
} from '../oci/media-types.ts';
import type { Store } from '../store/store.ts';

export interface ImageLayer {
  readonly layer: Layer;
  /**
   * What the manifest that it came with had for it: a pulled layer keeps its compressed blob, so that a push of the new image
   * moves, or finds, the very same one.
   */
  readonly descriptor?: Descriptor | undefined;
}

export interface AssembleOptions {
  /** `rootfs.diff_ids` is taken from the layers. */
  readonly config: ImageConfig;
  /** Bottom first. */
  readonly layers: readonly ImageLayer[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface AssembledImage {
  /** Of the manifest. */
  readonly descriptor: Descriptor;
  readonly imageID: Digest;
}

/** Writes configuration and manifest to the store; the layers are there already. */
export function assembleImage(
  store: Store,
  { config, layers, annotations }: AssembleOptions,
): AssembledImage {
  const diffIDs = layers.map(({ layer }) => layer.diffID);
  const complete: ImageConfig = { ...config, rootfs: { type: 'layers', diff_ids: diffIDs } };
  const stored = store.writeBlob(encodeConfig(complete));
  const descriptor = writeManifest(store, {
    config: { mediaType: OCI_CONFIG, ...stored },
    layers: layers.map(layerDescriptor),
    ...(annotations ? { annotations } : {}),
  });
  return { descriptor, imageID: stored.digest };
}

/** Writes an OCI manifest, and says what it is for as `platform` does. */
export function writeManifest(
  store: Store,
  parts: Pick<Manifest, 'config' | 'layers' | 'annotations'>,
): Descriptor {
  const { config, layers, annotations } = parts;
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: config.mediaType, digest: config.digest, size: config.size },
    layers,
    ...(annotations && Object.keys(annotations).length > 0
      ? { annotations: inOrder([], annotations) }
      : {}),
  };
  return { mediaType: OCI_MANIFEST, ...store.writeBlob(encode(manifest)) };
}

/** The layer in a manifest of ours: OCI's media type for what Docker's names otherwise; the bytes are the same. */
function layerDescriptor({ layer, descriptor }: ImageLayer): Descriptor {
  if (descriptor === undefined)
    return { mediaType: OCI_LAYER, digest: layer.diffID, size: layer.size };
  const compression = layerCompression(descriptor.mediaType);
  const mediaType = compression === undefined ? descriptor.mediaType : ociLayerType(compression);
  return { mediaType, digest: descriptor.digest, size: descriptor.size };
}

const CONFIG_KEYS = [
  'created',
  'author',
  'architecture',
  'variant',
  'os',
  'os.version',
  'config',
  'rootfs',
  'history',
];
const RUN_CONFIG_KEYS = [
  'User',
  'ExposedPorts',
  'Env',
  'Entrypoint',
  'Cmd',
  'Healthcheck',
  'Volumes',
  'WorkingDir',
  'OnBuild',
  'Labels',
  'StopSignal',
  'Shell',
  'ArgsEscaped',
];
const HISTORY_KEYS = ['created', 'created_by', 'author', 'comment', 'empty_layer'];

/** Members in a fixed order, those that we do not know after them; maps sorted by key. JSON leaves out what is `undefined`. */
export function encodeConfig(config: ImageConfig): Buffer {
  const { config: run = {}, history } = config;
  const maps = { ExposedPorts: run.ExposedPorts, Volumes: run.Volumes, Labels: run.Labels };
  const sortedMaps = Object.entries(maps).map(([key, map]) => [key, map && inOrder([], map)]);
  return encode(
    inOrder(CONFIG_KEYS, {
      ...config,
      config: inOrder(RUN_CONFIG_KEYS, { ...run, ...Object.fromEntries(sortedMaps) }),
      ...(history ? { history: history.map((entry) => inOrder(HISTORY_KEYS, entry)) } : {}),
    }),
  );
}

function encode(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function inOrder(known: readonly string[], object: object): Record<string, unknown> {
  const members = object as Record<string, unknown>;
  // Without a prototype, for a label may be called anything.
  const ordered: Record<string, unknown> = Object.create(null);
  for (const key of known) if (members[key] !== undefined) ordered[key] = members[key];
  const others = Object.keys(members).filter((key) => !known.includes(key));
  for (const key of others.sort()) ordered[key] = members[key];
  return ordered;
}
