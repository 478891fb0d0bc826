/** One repository of a registry in the roles of oci/content.ts. */
import { Readable } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import type {
  CallOptions,
  Fetcher,
  Pusher,
  PushOutcome,
  Resolver,
  Tagger,
} from '../oci/content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { isDocumentType } from '../oci/media-types.ts';
import { blobExists, fetchBlob, openBlob } from './blobs.ts';
import { readBounded } from './http.ts';
import { type FetchedManifest, fetchManifest, putManifest, resolveManifest } from './manifests.ts';
import { listReferrers, noteReferrer, type ReferrerOptions } from './referrers.ts';
import type { Session } from './session.ts';
import { type PushOptions, pushBlob } from './upload.ts';
import { pushGrowing } from './upload-growing.ts';

export interface Repository extends Fetcher, Pusher, Resolver, Tagger {
  readonly registry: string;
  readonly repository: string;
  push(
    descriptor: Descriptor,
    open: () => Promise<Readable>,
    options?: PushOptions,
  ): Promise<PushOutcome>;
  /**
   * Sends a blob while it is made: `open` gives the bytes as they come, and `finished` what they are, or nothing if there
   * will be none after all. @throws as soon as that does not work; the blob should be pushed then.
   */
  pushGrowing(
    open: () => AsyncIterable<Uint8Array>,
    finished: Promise<Descriptor | undefined>,
    options?: CallOptions,
  ): Promise<PushOutcome>;
  /** A manifest or index with its bytes, in one request; `undefined` if there is none. */
  fetchManifest(tagOrDigest: string, options?: CallOptions): Promise<FetchedManifest | undefined>;
  /** A blob's bytes from `start` on, for who verifies the whole of it. */
  openBlob(descriptor: Descriptor, start: number, options?: CallOptions): Promise<Readable>;
  /** Stores a manifest or index under a tag or its digest. */
  putManifest(
    tagOrDigest: string,
    descriptor: Descriptor,
    bytes: Uint8Array,
    options?: CallOptions,
  ): Promise<void>;
  /** What has the manifest `subject` as its subject. */
  referrers(subject: Digest, options?: ReferrerOptions): Promise<readonly Descriptor[]>;
}

export function createRepository(session: Session, repository: string): Repository {
  const resolve = (tagOrDigest: string, options?: CallOptions) =>
    resolveManifest(session, repository, tagOrDigest, options);
  const getManifest = (tagOrDigest: string, options?: CallOptions) =>
    fetchManifest(session, repository, tagOrDigest, options);

  const manifestBytes = async (descriptor: Descriptor, options?: CallOptions): Promise<Buffer> => {
    const found = await getManifest(descriptor.digest, options);
    if (found === undefined)
      throw new TsbuildError(
        'NOT_FOUND',
        `${session.registry}/${repository} has no manifest ${descriptor.digest}`,
      );
    if (found.bytes.length === descriptor.size) return found.bytes;
    throw new TsbuildError(
      'DIGEST_MISMATCH',
      `manifest ${descriptor.digest} from ${session.registry} has ${found.bytes.length} bytes instead of ${descriptor.size}`,
    );
  };
  const put: Repository['putManifest'] = async (tagOrDigest, descriptor, bytes, options) => {
    const args = [session, repository, tagOrDigest, descriptor, bytes, options] as const;
    const { hasSeenSubject } = await putManifest(...args);
    if (!hasSeenSubject) await noteReferrer(session, repository, descriptor, bytes, options);
  };
  const push = async (
    descriptor: Descriptor,
    open: () => Promise<Readable>,
    options: PushOptions = {},
  ): Promise<PushOutcome> => {
    if (!isDocumentType(descriptor.mediaType))
      return pushBlob(session, repository, descriptor, open, options);
    if ((await resolve(descriptor.digest, options)) !== undefined) return 'exists';
    await put(descriptor.digest, descriptor, await read(descriptor, open), options);
    return 'pushed';
  };
  return {
    registry: session.registry,
    repository,
    resolve,
    push,
    pushGrowing: (open, finished, { signal } = {}) =>
      pushGrowing({ session, repository, ...(signal ? { signal } : {}) }, open, finished),
    exists: async (descriptor, options) =>
      isDocumentType(descriptor.mediaType)
        ? (await resolve(descriptor.digest, options)) !== undefined
        : blobExists(session, repository, descriptor, options),
    fetch: async (descriptor, options) =>
      isDocumentType(descriptor.mediaType)
        ? Readable.from([await manifestBytes(descriptor, options)], { objectMode: false })
        : fetchBlob(session, repository, descriptor, options),
    tag: async (tag, descriptor, options) =>
      put(tag, descriptor, await manifestBytes(descriptor, options), options),
    fetchManifest: getManifest,
    openBlob: (descriptor, start, options) =>
      openBlob(session, repository, descriptor, start, options),
    putManifest: put,
    referrers: (subject, options) => listReferrers(session, repository, subject, options),
  };
}

async function read(descriptor: Descriptor, open: () => Promise<Readable>): Promise<Buffer> {
  const bytes = await readBounded(await open(), descriptor.size + 1);
  if (bytes.length === descriptor.size && digestOf(bytes) === descriptor.digest) return bytes;
  throw new TsbuildError(
    'DIGEST_MISMATCH',
    `manifest to push does not have the digest ${descriptor.digest}`,
  );
}
