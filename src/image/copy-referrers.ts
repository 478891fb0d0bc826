/**
 * Copying what refers to an image: signatures, attestations, bills of materials, each a manifest that names another as its
 * subject. A registry is asked for them. A layout lists them in its index.json, beside the images and without names, or
 * under the tag that stands for such a list in registries of before distribution spec 1.1.
 */
import { TsbuildError } from '../errors.ts';
import type { CallOptions, Fetcher, Pusher } from '../oci/content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, hexOf } from '../oci/digest.ts';
import { isIndex, parseManifestOrIndex } from '../oci/manifest.ts';
import { isDocumentType, isIndexType } from '../oci/media-types.ts';
import { REF_NAME } from '../store/layout.ts';
import { type CopyOptions, copyGraph, readDocument } from './copy-graph.ts';

/** What has a manifest as its subject. */
export type ListReferrers = (
  subject: Digest,
  options?: CallOptions,
) => Promise<readonly Descriptor[]>;

/** A signature of an attestation of an image is the third; more is a registry that leads us on. */
const MAX_DEPTH = 4;

/**
 * Copies what refers to `root`, to images in it, and to what was copied so. One after the other: where a tag stands for the
 * list of them, it is read and written again for each. Gives what was copied.
 */
export async function copyReferrers(
  source: Fetcher,
  list: ListReferrers,
  target: Pusher & Pick<Fetcher, 'exists'>,
  root: Descriptor,
  options: CopyOptions = {},
): Promise<readonly Descriptor[]> {
  const call = options.signal ? { signal: options.signal } : {};
  const copied = new Map<Digest, Descriptor>();
  const visited = new Set<Digest>();
  const visit = async (subject: Descriptor, depth: number): Promise<void> => {
    if (depth > MAX_DEPTH)
      throw new TsbuildError('MANIFEST', `referrers nest deeper than ${MAX_DEPTH} levels`);
    if (visited.has(subject.digest)) return;
    visited.add(subject.digest);
    for (const referrer of await list(subject.digest, call)) {
      if (copied.has(referrer.digest)) continue;
      await copyGraph(source, target, referrer, options);
      copied.set(referrer.digest, referrer);
      await visit(referrer, depth + 1);
    }
    for (const child of await documentsOf(source, subject, call)) await visit(child, depth + 1);
  };
  await visit(root, 0);
  return [...copied.values()];
}

/** {@link ListReferrers} of a layout with these entries in its index.json. */
export function layoutReferrers(blobs: Fetcher, entries: readonly Descriptor[]): ListReferrers {
  return async (subject, options) => {
    const listed = entries.filter(
      ({ annotations }) => annotations?.[REF_NAME] === `sha256-${hexOf(subject)}`,
    );
    const found = [];
    for (const list of listed) found.push(...(await documentsOf(blobs, list, options)));
    for (const entry of entries.filter(({ mediaType }) => isDocumentType(mediaType))) {
      const bytes = await readDocument(blobs, entry, options);
      const { subject: own } = parseManifestOrIndex(bytes, entry.mediaType);
      if (own?.digest === subject) found.push(entry);
    }
    return found;
  };
}

/** The manifests and indexes that an index points at. */
async function documentsOf(
  source: Fetcher,
  descriptor: Descriptor,
  options?: CallOptions,
): Promise<readonly Descriptor[]> {
  if (!isIndexType(descriptor.mediaType)) return [];
  const bytes = await readDocument(source, descriptor, options);
  const index = parseManifestOrIndex(bytes, descriptor.mediaType);
  if (!isIndex(index)) return [];
  return index.manifests.filter(({ mediaType }) => isDocumentType(mediaType));
}
