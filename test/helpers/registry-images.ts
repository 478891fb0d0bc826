/** Images in a fake registry, as another tool would have pushed them. */
import { gzipSync } from 'node:zlib';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { type DiffID, digestOf } from '../../src/oci/digest.ts';
import {
  DOCKER_CONFIG,
  DOCKER_LAYER_GZIP,
  DOCKER_MANIFEST,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_LAYER_GZIP,
  OCI_MANIFEST,
} from '../../src/oci/media-types.ts';
import { tarOf } from './archives.ts';
import type { FakeRegistry } from './registry.ts';
import { blob } from './registry-client.ts';
import { repositoryOf } from './registry-endpoints.ts';

export interface RemoteLayer {
  readonly descriptor: Descriptor;
  readonly diffID: DiffID;
}

export interface RemoteImage {
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly RemoteLayer[];
}

export interface RemoteImageOptions {
  readonly repository?: string;
  readonly tag?: string;
  readonly architecture?: string;
  /** Contents of a file, one layer each. */
  readonly files?: readonly string[];
  readonly docker?: boolean;
  readonly compressed?: boolean;
  /** What the configuration says that the layers are, if that should be wrong. */
  readonly diffIDs?: readonly string[];
}

const plain = ({ bytes: _, ...descriptor }: ReturnType<typeof blob>): Descriptor => descriptor;

export function putImage(registry: FakeRegistry, options: RemoteImageOptions = {}): RemoteImage {
  const {
    repository = 'team/app',
    tag,
    architecture = 'amd64',
    files = ['one', 'two'],
    docker,
    compressed = true,
  } = options;
  const target = repositoryOf(registry.repositories, repository);
  const layers = files.map((text, at) => {
    const tar = tarOf([{ name: `file${at}`, content: Buffer.from(text) }]);
    const type = docker ? DOCKER_LAYER_GZIP : compressed ? OCI_LAYER_GZIP : OCI_LAYER;
    const layer = blob(compressed ? gzipSync(tar) : tar, type);
    target.blobs.set(layer.digest, layer.bytes);
    return { descriptor: plain(layer), diffID: digestOf<DiffID>(tar) };
  });
  const rootfs = {
    type: 'layers',
    diff_ids: options.diffIDs ?? layers.map(({ diffID }) => diffID),
  };
  const config = blob(
    Buffer.from(JSON.stringify({ architecture, os: 'linux', config: {}, rootfs })),
    docker ? DOCKER_CONFIG : OCI_CONFIG,
  );
  target.blobs.set(config.digest, config.bytes);
  const mediaType = docker ? DOCKER_MANIFEST : OCI_MANIFEST;
  const manifest = putDocument(registry, repository, tag, mediaType, {
    config: plain(config),
    layers: layers.map(({ descriptor }) => descriptor),
  });
  return { manifest, config: plain(config), layers };
}

/** An index of one image for each architecture. */
export function putIndex(
  registry: FakeRegistry,
  tag: string,
  architectures: readonly string[],
  repository = 'team/app',
) {
  const images = architectures.map((architecture) => ({
    architecture,
    ...putImage(registry, { repository, architecture, files: ['shared', `for ${architecture}`] }),
  }));
  const index = putDocument(registry, repository, tag, OCI_INDEX, {
    manifests: images.map(({ manifest, architecture }) => ({
      ...manifest,
      platform: { os: 'linux', architecture },
    })),
  });
  return { index, images };
}

export function putDocument(
  registry: FakeRegistry,
  repository: string,
  tag: string | undefined,
  mediaType: string,
  members: object,
): Descriptor {
  const document = blob(
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...members }, null, 2)),
    mediaType,
  );
  const target = repositoryOf(registry.repositories, repository);
  target.manifests.set(document.digest, { mediaType, bytes: document.bytes });
  if (tag !== undefined) target.tags.set(tag, document.digest);
  return plain(document);
}
