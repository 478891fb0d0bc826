/** Manifests and indexes of one repository: small documents, read whole, and believed only when their digest agrees. */
import { TsbuildError } from '../errors.ts';
import type { CallOptions } from '../oci/content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { digestOf, isDigest, parseDigest } from '../oci/digest.ts';
import { MAX_MANIFEST_BYTES } from '../oci/manifest.ts';
import { DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from '../oci/media-types.ts';
import { broken, nonsense, RegistryError } from './error.ts';
import { discard, type HttpResponse, header, headerSize, readBounded } from './http.ts';
import { withRetries } from './retry.ts';
import { pullScope, pushScope } from './scope.ts';
import type { Call, Session } from './session.ts';

const ACCEPT = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST].join(', ');

export interface FetchedManifest {
  readonly descriptor: Descriptor;
  /** As they came. */
  readonly bytes: Buffer;
}

/** What a tag or digest stands for, asked for without fetching it where the registry answers in full. */
export async function resolveManifest(
  session: Session,
  repository: string,
  tagOrDigest: string,
  { signal }: CallOptions = {},
): Promise<Descriptor | undefined> {
  const response = await session.call({
    method: 'HEAD',
    url: manifestPath(repository, tagOrDigest),
    headers: { accept: ACCEPT },
    scopes: [pullScope(repository)],
    // Some registries do not know HEAD for manifests.
    expect: [200, 404, 405],
    ...(signal ? { signal } : {}),
  });
  await discard(response);
  if (response.status === 404) return undefined;
  const described = response.status === 200 ? describe(response, tagOrDigest) : undefined;
  return (
    described ??
    (await fetchManifest(session, repository, tagOrDigest, { ...(signal ? { signal } : {}) }))
      ?.descriptor
  );
}

/** The document itself; `undefined` if the registry has none of that name. */
export async function fetchManifest(
  session: Session,
  repository: string,
  tagOrDigest: string,
  { signal }: CallOptions = {},
): Promise<FetchedManifest | undefined> {
  const call: Call = {
    method: 'GET',
    url: manifestPath(repository, tagOrDigest),
    headers: { accept: ACCEPT },
    scopes: [pullScope(repository)],
    expect: [200, 404],
    ...(signal ? { signal } : {}),
  };
  // An answer that breaks off is asked for again like one that did not come.
  const { response, bytes } = await withRetries(
    session.policy,
    () => readOnce(session, call),
    signal,
  );
  if (response.status === 404) return undefined;
  const digest = digestOf(bytes);
  const promised = isDigest(tagOrDigest) ? tagOrDigest : header(response, 'docker-content-digest');
  if (promised?.startsWith('sha256:') && promised !== digest) {
    throw new TsbuildError(
      'DIGEST_MISMATCH',
      `manifest ${repository} from ${session.registry} has digest ${digest} instead of ${promised}`,
    );
  }
  const mediaType = mediaTypeOf(response, bytes);
  if (mediaType === undefined) {
    const type = header(response, 'content-type') ?? 'an unknown type';
    throw nonsense({ method: 'GET', url: response.url }, `the answer is no manifest, but ${type}`);
  }
  return { bytes, descriptor: { mediaType, digest, size: bytes.length } };
}

async function readOnce(
  session: Session,
  call: Call,
): Promise<{ response: HttpResponse; bytes: Buffer }> {
  const response = await session.callOnce(call);
  const request = { method: call.method, url: response.url };
  try {
    const bytes = await readBounded(response.body, MAX_MANIFEST_BYTES + 1);
    if (bytes.length > MAX_MANIFEST_BYTES)
      throw nonsense(request, 'the manifest is larger than 4 MiB');
    return { response, bytes };
  } catch (cause) {
    call.signal?.throwIfAborted();
    throw cause instanceof RegistryError ? cause : broken(request, cause);
  }
}

/** Stores a document under a tag or its digest. Says whether the registry has seen what its subject is, if it has one. */
export async function putManifest(
  session: Session,
  repository: string,
  tagOrDigest: string,
  descriptor: Descriptor,
  bytes: Uint8Array,
  { signal }: CallOptions = {},
): Promise<{ readonly hasSeenSubject: boolean }> {
  const url = manifestPath(repository, tagOrDigest);
  const response = await session.call({
    method: 'PUT',
    url,
    headers: { 'content-type': descriptor.mediaType },
    body: bytes,
    scopes: [pushScope(repository)],
    expect: [200, 201, 202],
    answerMilliseconds: session.commitMilliseconds,
    ...(signal ? { signal } : {}),
  });
  await discard(response);
  const stored = header(response, 'docker-content-digest');
  if (stored?.startsWith('sha256:') && stored !== descriptor.digest) {
    throw nonsense(
      { method: 'PUT', url: response.url },
      `the registry stored it as ${stored} instead of ${descriptor.digest}`,
    );
  }
  return { hasSeenSubject: header(response, 'oci-subject') !== undefined };
}

export function manifestPath(repository: string, tagOrDigest: string): string {
  return `v2/${repository}/manifests/${tagOrDigest}`;
}

/** The descriptor that the headers make up, if they are all there. */
function describe(response: HttpResponse, tagOrDigest: string): Descriptor | undefined {
  const digest =
    header(response, 'docker-content-digest') ?? (isDigest(tagOrDigest) ? tagOrDigest : undefined);
  const mediaType = mediaTypeHeader(response);
  const size = headerSize(response, 'content-length');
  // Some registries answer HEAD with a length of 0.
  if (digest === undefined || !isDigest(digest) || mediaType === undefined || !size)
    return undefined;
  if (isDigest(tagOrDigest) && digest !== tagOrDigest) {
    throw new TsbuildError(
      'DIGEST_MISMATCH',
      `HEAD ${response.url.host}${response.url.pathname} answered with digest ${digest}`,
    );
  }
  return { mediaType, digest: parseDigest(digest), size };
}

function mediaTypeHeader(response: HttpResponse): string | undefined {
  const type = header(response, 'content-type')?.split(';')[0]?.trim();
  // What a file server calls a document that it does not know.
  return type === undefined ||
    type === '' ||
    type === 'application/json' ||
    type === 'text/plain' ||
    type === 'application/octet-stream'
    ? undefined
    : type;
}

/** The document's own word comes before the server's. `undefined` for what is no document: a page that asks to sign in. */
function mediaTypeOf(response: HttpResponse, bytes: Buffer): string | undefined {
  try {
    const json: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof json !== 'object' || json === null) return undefined;
    if ('mediaType' in json && typeof json.mediaType === 'string') return json.mediaType;
    return mediaTypeHeader(response) ?? ('manifests' in json ? OCI_INDEX : OCI_MANIFEST);
  } catch {
    return undefined;
  }
}
