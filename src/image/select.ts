/** Which manifest of an index is meant: image-spec image-index.md, "platform". */
import { TsbuildError } from '../errors.ts';
import { parseImageConfig } from '../oci/config.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import { isIndex, parseManifestOrIndex } from '../oci/manifest.ts';
import { isConfigType, isIndexType } from '../oci/media-types.ts';
import {
  compatiblePlatforms,
  formatPlatform,
  hostPlatform,
  type Platform,
  samePlatform,
} from '../oci/platform.ts';
import type { Store } from '../store/store.ts';

/** Nobody makes more than two levels, but a hostile index could be deep. */
export const MAX_DEPTH = 4;

/** The best of `candidates` for a machine of the platform `wanted`. */
export function bestPlatform<T extends { readonly platform?: Platform | undefined }>(
  candidates: readonly T[],
  wanted: Platform,
): T | undefined {
  for (const platform of compatiblePlatforms(wanted)) {
    const found = candidates.find(
      (candidate) => candidate.platform && samePlatform(candidate.platform, platform),
    );
    if (found) return found;
  }
  return undefined;
}

/** The one that is meant where nothing can be said of platforms: this machine's, else the first. */
export function defaultManifest(manifests: readonly Descriptor[]): Descriptor | undefined {
  return bestPlatform(manifests, hostPlatform()) ?? manifests[0];
}

/** What BuildKit puts beside images: provenance and the like, marked as for no platform. */
export function isAttestation(descriptor: Descriptor): boolean {
  return (
    descriptor.annotations?.['vnd.docker.reference.type'] === 'attestation-manifest' ||
    descriptor.platform?.os === 'unknown'
  );
}

/** What refers to images, where it is listed beside them. */
export function isArtifact({ artifactType }: Descriptor): boolean {
  return artifactType !== undefined && !isConfigType(artifactType);
}

/**
 * The manifest that `descriptor` is, or that an index has for `platform`. Without `platform`, the only one that the store
 * has, else the one for this machine. One that would serve does not stand in for a better one that the index has, and the
 * store has not. @throws TsbuildError `PLATFORM`, `NOT_FOUND`, `MANIFEST`
 */
export function selectManifest(
  store: Store,
  descriptor: Descriptor,
  platform: Platform | undefined,
  name: string,
): Descriptor {
  if (!isIndexType(descriptor.mediaType) && platform === undefined) return descriptor;
  const manifests = listManifests(store, descriptor).map((manifest) =>
    withPlatform(store, manifest),
  );
  const only = platform === undefined && manifests.length === 1 ? manifests[0] : undefined;
  const wanted = platform ?? hostPlatform();
  const absent = platform === undefined ? [] : absentManifests(store, descriptor);
  const best = bestPlatform([...manifests, ...absent], wanted);
  const chosen = only ?? (best && absent.includes(best) ? undefined : best);
  if (chosen === undefined) throw noSuchPlatform(name, manifests, platform ?? hostPlatform());
  return chosen;
}

/** Every image manifest below `descriptor` that the store has; a pull for one platform leaves the others out. */
export function listManifests(
  store: Store,
  descriptor: Descriptor,
  depth = 0,
  seen: Set<Digest> = new Set(),
): readonly Descriptor[] {
  if (!isIndexType(descriptor.mediaType)) return [descriptor];
  if (seen.has(descriptor.digest)) return [];
  seen.add(descriptor.digest);
  if (depth > MAX_DEPTH)
    throw new TsbuildError('MANIFEST', `indexes nest deeper than ${MAX_DEPTH} levels`);
  const index = parseManifestOrIndex(store.readBlob(descriptor.digest), descriptor.mediaType);
  if (!isIndex(index)) return [descriptor];
  return index.manifests
    .filter((child) => !isAttestation(child) && store.blobSize(child.digest) === child.size)
    .flatMap((child) => listManifests(store, child, depth + 1, seen));
}

/** What the top index knows, and the store lacks. */
function absentManifests(store: Store, { digest, mediaType }: Descriptor): readonly Descriptor[] {
  if (!isIndexType(mediaType)) return [];
  const index = parseManifestOrIndex(store.readBlob(digest), mediaType);
  if (!isIndex(index)) return [];
  return index.manifests.filter(
    (child) => !isAttestation(child) && store.blobSize(child.digest) !== child.size,
  );
}

/** An index need not say what its manifests are for; their configurations do. */
function withPlatform(store: Store, descriptor: Descriptor): Descriptor {
  if (descriptor.platform) return descriptor;
  const manifest = parseManifestOrIndex(store.readBlob(descriptor.digest), descriptor.mediaType);
  if (isIndex(manifest) || store.blobSize(manifest.config.digest) === undefined) return descriptor;
  const { os, architecture, variant } = parseImageConfig(store.readBlob(manifest.config.digest));
  return { ...descriptor, platform: { os, architecture, ...(variant ? { variant } : {}) } };
}

function noSuchPlatform(
  name: string,
  manifests: readonly Descriptor[],
  wanted: Platform,
): TsbuildError {
  const existing = manifests.flatMap(({ platform }) =>
    platform ? [formatPlatform(platform)] : [],
  );
  return new TsbuildError(
    'PLATFORM',
    `image ${name} is not in the store for ${formatPlatform(wanted)}`,
    {
      hint:
        existing.length > 0
          ? `it is there for ${existing.join(', ')}`
          : 'pull it for that platform',
    },
  );
}
