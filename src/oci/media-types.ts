/** Media types of image-spec 1.1 and of Docker's schema 2, and what they say about the bytes. */
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
export const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar';
export const OCI_LAYER_GZIP = 'application/vnd.oci.image.layer.v1.tar+gzip';
export const OCI_LAYER_ZSTD = 'application/vnd.oci.image.layer.v1.tar+zstd';
export const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json';
export const DOCKER_LAYER = 'application/vnd.docker.image.rootfs.diff.tar';
export const DOCKER_LAYER_GZIP = 'application/vnd.docker.image.rootfs.diff.tar.gzip';

export type Compression = 'none' | 'gzip' | 'zstd';

export function isIndexType(mediaType: string): boolean {
  return mediaType === OCI_INDEX || mediaType === DOCKER_LIST;
}

export function isManifestType(mediaType: string): boolean {
  return mediaType === OCI_MANIFEST || mediaType === DOCKER_MANIFEST;
}

export function isConfigType(mediaType: string): boolean {
  return mediaType === OCI_CONFIG || mediaType === DOCKER_CONFIG;
}

/** Manifests and indexes, which registries keep apart from blobs. */
export function isDocumentType(mediaType: string): boolean {
  return isManifestType(mediaType) || isIndexType(mediaType);
}

/** How a layer blob is squeezed; `undefined` if the type is not that of a layer. */
export function layerCompression(mediaType: string): Compression | undefined {
  switch (
    mediaType
      .replace('layer.nondistributable.', 'layer.')
      .replace('image.rootfs.foreign.', 'image.rootfs.')
  ) {
    case OCI_LAYER:
    case DOCKER_LAYER:
      return 'none';
    case OCI_LAYER_GZIP:
    case DOCKER_LAYER_GZIP:
      return 'gzip';
    case OCI_LAYER_ZSTD:
      return 'zstd';
    default:
      return undefined;
  }
}

export function ociLayerType(compression: Compression): string {
  return compression === 'none'
    ? OCI_LAYER
    : compression === 'gzip'
      ? OCI_LAYER_GZIP
      : OCI_LAYER_ZSTD;
}
