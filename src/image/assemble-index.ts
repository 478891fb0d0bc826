/** The index of an image for several platforms: image-spec image-index.md. */
import type { Descriptor } from '../oci/descriptor.ts';
import { OCI_INDEX } from '../oci/media-types.ts';
import { normalizePlatform, type Platform } from '../oci/platform.ts';
import type { Store } from '../store/store.ts';

export interface PlatformManifest {
  readonly descriptor: Descriptor;
  readonly platform: Platform;
}

/** Writes an index to the store; its manifests are there already. Equal manifests in equal order give equal bytes. */
export function assembleIndex(
  store: Store,
  manifests: readonly PlatformManifest[],
  annotations?: Readonly<Record<string, string>>,
): Descriptor {
  const index = {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: manifests.map(({ descriptor: { mediaType, digest, size }, platform }) => {
      const { architecture, os, variant } = normalizePlatform(platform);
      return {
        mediaType,
        digest,
        size,
        platform: { architecture, os, ...(variant ? { variant } : {}) },
      };
    }),
    ...(annotations && Object.keys(annotations).length > 0 ? { annotations } : {}),
  };
  return { mediaType: OCI_INDEX, ...store.writeBlob(Buffer.from(JSON.stringify(index))) };
}
