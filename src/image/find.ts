/** Finds what people call an image: by a name in any of its forms, or by an id. */
import { TsbuildError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isIndex, parseManifestOrIndex } from '../oci/manifest.ts';
import {
  familiarReference,
  formatReference,
  parseReference,
  type Reference,
} from '../oci/reference.ts';
import type { Store, StoredImage } from '../store/store.ts';
import { listManifests } from './select.ts';

const ID = /^(?:sha256:)?([0-9a-f]{1,64})$/;

/**
 * A name comes before an id that looks like it, as in Docker; only 64 hex digits are never a name. The descriptor may be
 * that of an index; `name` is absent when the image was found by an id.
 * @throws TsbuildError `IMAGE_NOT_FOUND`, `USAGE` if it is no name at all, or the id is ambiguous
 */
export function findStored(store: Store, nameOrId: string): StoredImage {
  const id = ID.exec(nameOrId)?.[1];
  const isName = !nameOrId.startsWith('sha256:') && id?.length !== 64;
  const named = isName ? findByName(store, parseReference(nameOrId)) : undefined;
  const found = named ?? (id === undefined ? undefined : findById(store, id));
  if (found) return found;
  const what = isName ? familiarReference(parseReference(nameOrId)) : nameOrId;
  throw new TsbuildError('IMAGE_NOT_FOUND', `image ${what} is not in the store`, {
    hint: 'see `tsbuild images`; pull it, or build it with -t',
  });
}

function findByName(store: Store, reference: Reference): StoredImage | undefined {
  const name = formatReference(reference);
  const images = store.images();
  const exact = images.find((image) => image.name === name);
  if (exact || reference.digest === undefined) return exact;
  return findByDigest(store, images, reference, reference.digest);
}

/** `repository@sha256:…`, when the store has that under any tag of the repository, or as one platform of it. */
function findByDigest(
  store: Store,
  images: readonly StoredImage[],
  { registry, repository }: Reference,
  digest: Digest,
): StoredImage | undefined {
  const repositoryName = `${registry}/${repository}`;
  for (const image of images) {
    if (
      !image.name?.startsWith(repositoryName) ||
      !/^[:@]/.test(image.name.slice(repositoryName.length))
    )
      continue;
    if (image.descriptor.digest === digest) return image;
    const descriptor = presentManifests(store, image).find(
      (manifest) => manifest.digest === digest,
    );
    if (descriptor) return { name: image.name, descriptor };
  }
  return undefined;
}

/** An id is the digest of a configuration, a manifest or an index, or the beginning of one. */
function findById(store: Store, prefix: string): StoredImage | undefined {
  const found = new Map<Digest, Descriptor>();
  const matches = (digest: Digest) => digest.startsWith(`sha256:${prefix}`);
  for (const { descriptor } of store.images()) {
    if (matches(descriptor.digest)) found.set(descriptor.digest, descriptor);
    for (const manifest of presentManifests(store, { descriptor })) {
      const imageID = imageIDOf(store, manifest);
      if (matches(manifest.digest)) found.set(manifest.digest, manifest);
      // The same image with its layers compressed otherwise has the same id: either will do.
      if (imageID && matches(imageID) && !found.has(imageID)) found.set(imageID, manifest);
    }
  }
  if (new Set([...found.values()].map(({ digest }) => digest)).size > 1) {
    throw new TsbuildError(
      'USAGE',
      `image id ${prefix} is ambiguous: it begins ${[...found.keys()].join(', ')}`,
    );
  }
  const [descriptor] = found.values();
  return descriptor && { descriptor };
}

/** The manifests of a stored image; none when what it consists of was lost. */
export function presentManifests(store: Store, { descriptor }: StoredImage): readonly Descriptor[] {
  return store.blobSize(descriptor.digest) === descriptor.size
    ? listManifests(store, descriptor)
    : [];
}

/** `undefined` if the manifest is not an image's after all. */
export function imageIDOf(store: Store, manifest: Descriptor): Digest | undefined {
  const document = parseManifestOrIndex(store.readBlob(manifest.digest), manifest.mediaType);
  return isIndex(document) ? undefined : document.config.digest;
}
