/**
 * Writes images to one archive, which is an OCI image layout and, unless that alone is asked for, what `docker save` writes, too: the
 * blobs are there once, and index.json and manifest.json both speak of them, as Docker Engine has it since version 25. So
 * `docker load`, `podman load`, skopeo (`docker-archive:`, `oci-archive:`), umoci and our own load.ts read it.
 */
import { TsbuildError } from '../errors.ts';
import type { Output } from '../host/output.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, hexOf } from '../oci/digest.ts';
import { children, isIndex, parseManifestOrIndex } from '../oci/manifest.ts';
import { isDocumentType } from '../oci/media-types.ts';
import { familiarReference, parseReference } from '../oci/reference.ts';
import { formatIndex, layoutFile, REF_NAME } from '../store/layout.ts';
import type { Store } from '../store/store.ts';
import { type ArchiveMember, packArchive } from '../tar/pack-archive.ts';

import { findStored } from './find.ts';
import { readManifest } from './image.ts';
import { defaultManifest, listManifests } from './select.ts';

export interface SavedImage {
  /** Full references; none for an image that is known by its id alone. */
  readonly names: readonly string[];
  /** Of a manifest or an index. */
  readonly descriptor: Descriptor;
}

/** containerd's name for an image, which Docker looks at first; the OCI annotation can only hold the tag there. */
export const CONTAINERD_NAME = 'io.containerd.image.name';

/** What people name to be saved: one image with all the names that were given for it, without any if it was called by its id. */
export function imagesToSave(store: Store, namesOrIds: readonly string[]): readonly SavedImage[] {
  const found = new Map<Digest, SavedImage>();
  for (const { name, descriptor } of namesOrIds.map((text) => findStored(store, text))) {
    const names = new Set([
      ...(found.get(descriptor.digest)?.names ?? []),
      ...(name ? [name] : []),
    ]);
    found.set(descriptor.digest, { names: [...names], descriptor });
  }
  return [...found.values()];
}

/** @throws TsbuildError `IMAGE_NOT_FOUND` if a part of an image is missing; what the output throws */
export async function saveImages(
  store: Store,
  images: readonly SavedImage[],
  format: 'docker' | 'oci',
  output: Output,
): Promise<void> {
  const text = (bytes: string) => ({ bytes: Buffer.from(bytes) });
  const blobs = new Map(
    images
      .flatMap(({ descriptor }) => graphOf(store, descriptor))
      .map((blob) => [blob.digest, blob]),
  );
  const digests = [...blobs.keys()].sort();
  const members: ArchiveMember[] = [
    { name: 'oci-layout', content: text(layoutFile()) },
    { name: 'index.json', content: text(formatIndex(indexEntries(images))) },
    ...(format === 'docker'
      ? [{ name: 'manifest.json', content: text(JSON.stringify(dockerManifest(store, images))) }]
      : []),
    { name: 'blobs' },
    { name: 'blobs/sha256' },
    ...digests.map((digest) => ({
      name: blobName(digest),
      content: { file: store.blobPath(digest), offset: 0, size: blobs.get(digest)!.size },
    })),
  ];
  for await (const bytes of packArchive(members)) await output.put(bytes);
  output.commit();
}

/** The entries of a layout's index.json: one for each name, as Docker and BuildKit annotate them. */
export function indexEntries(images: readonly SavedImage[]): readonly Descriptor[] {
  return images.flatMap(({ names, descriptor }) => {
    if (names.length === 0) return [descriptor];
    return names.map((name) => {
      const { tag } = parseReference(name);
      const annotations = {
        ...descriptor.annotations,
        [CONTAINERD_NAME]: name,
        ...(tag ? { [REF_NAME]: tag } : {}),
      };
      return { ...descriptor, annotations };
    });
  });
}

/**
 * Everything below `root`, each once, and `root` last. Of an index, what the store does not have is left out: a pull for one
 * platform leaves the others where they are.
 */
export function graphOf(
  store: Store,
  root: Descriptor,
  isOptional = false,
  seen: Set<Digest> = new Set(),
): readonly Descriptor[] {
  if (seen.has(root.digest)) return [];
  if (store.blobSize(root.digest) !== root.size) {
    if (isOptional) return [];
    throw new TsbuildError(
      'IMAGE_NOT_FOUND',
      `blob ${root.digest} of the image is not in the store`,
      {
        hint: 'pull or build it again',
      },
    );
  }
  seen.add(root.digest);
  if (!isDocumentType(root.mediaType)) return [root];
  const document = parseManifestOrIndex(store.readBlob(root.digest), root.mediaType);
  const below = children(document).flatMap((child) =>
    graphOf(store, child, isIndex(document), seen),
  );
  return [...below, root];
}

export function blobName(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

/** manifest.json. It knows no platforms: the names go to the image that would be chosen on this machine. */
function dockerManifest(store: Store, images: readonly SavedImage[]) {
  return images.flatMap(({ names, descriptor }) => {
    const manifests = listManifests(store, descriptor);
    const named = defaultManifest(manifests);
    return manifests.map((manifest) => {
      const { config, layers } = readManifest(store, manifest);
      const tags = names.map(parseReference).filter(({ tag }) => tag !== undefined);
      return {
        Config: blobName(config.digest),
        RepoTags: manifest === named && tags.length > 0 ? tags.map(withoutDigest) : null,
        Layers: layers.map((layer) => blobName(layer.digest)),
      };
    });
  });
}

function withoutDigest({ registry, repository, tag }: ReturnType<typeof parseReference>): string {
  return familiarReference({ registry, repository, ...(tag ? { tag } : {}) });
}
