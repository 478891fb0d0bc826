/**
 * Bringing a blob into a repository, the cheapest way first: it is there already; the registry mounts it from another
 * repository; or its bytes are sent, in one request where the registry takes that, in chunks where it does not, and
 * onwards from where a connection broke where the registry kept what it had.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pushing-blobs
 */
import type { Readable } from 'node:stream';
import type { CallOptions, PushOutcome } from '../oci/content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { headBlob } from './blobs.ts';
import { type ByteReader, byteReader } from './byte-reader.ts';
import { broken, nonsense, RegistryError } from './error.ts';
import { discard, type HttpBody, type HttpResponse, header, headerSize } from './http.ts';
import { resolveLocation } from './redirect.ts';
import { pause } from './retry.ts';
import { pullScope, pushScope } from './scope.ts';
import type { Session } from './session.ts';

export interface PushOptions extends CallOptions {
  /** A repository of the same registry that is known to have the blob. */
  readonly mountFrom?: string;
}

export interface Upload {
  readonly location: URL;
  /** Bytes that the registry has. */
  readonly offset: number;
}

/** Where blobs go. */
export interface UploadTarget {
  readonly session: Session;
  readonly repository: string;
  readonly signal?: AbortSignal;
}

interface Push extends PushOptions, UploadTarget {
  readonly signal?: AbortSignal;
  readonly descriptor: Descriptor;
  readonly open: () => Promise<Readable>;
  /** What the registry has begun to receive. */
  upload?: Upload | undefined;
  /** Bytes of one request; `undefined` sends the blob in one. */
  chunk?: number | undefined;
  minimumChunk: number;
}

/** Below what proxies in front of registries usually let through in one request. */
const CHUNK = 32 * 1024 * 1024;
const TOO_LARGE = 413;
export const OCTETS = { 'content-type': 'application/octet-stream' };

export async function pushBlob(
  session: Session,
  repository: string,
  descriptor: Descriptor,
  open: () => Promise<Readable>,
  options: PushOptions = {},
): Promise<PushOutcome> {
  const push: Push = { ...options, session, repository, descriptor, open, minimumChunk: 0 };
  for (let failures = 0; ; ) {
    const before = push.upload?.offset ?? 0;
    try {
      return await attempt(push);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (wantsChunks(push, error)) continue;
      failures += 1;
      await pause(session.policy, error, failures, {
        signal: options.signal,
        again: isLostUpload(push, error),
      });
      push.upload = await whatArrived(push, before);
    }
  }
}

async function attempt(push: Push): Promise<PushOutcome> {
  if (push.upload === undefined) {
    // Also the answer to a commit that succeeded without our hearing of it.
    if (await exists(push)) return 'exists';
    const begun = await begin(push);
    if (begun === 'mounted') return 'mounted';
    push.upload = begun;
  }
  const last =
    push.chunk === undefined && push.upload.offset === 0
      ? push.upload
      : await sendRest(push, push.upload);
  await commit(push, last);
  return 'pushed';
}

async function exists(push: Push): Promise<boolean> {
  return hasBlob(push, push.descriptor);
}

export async function hasBlob(
  { session, repository, signal }: UploadTarget,
  descriptor: Descriptor,
): Promise<boolean> {
  const response = await session.callOnce({
    ...headBlob(repository, descriptor, signal),
    scopes: [pushScope(repository)],
  });
  await discard(response);
  return response.status === 200;
}

async function begin(push: Push): Promise<Upload | 'mounted'> {
  const { mountFrom, repository, descriptor } = push;
  if (mountFrom !== undefined && mountFrom !== repository) {
    const query = new URLSearchParams({ mount: descriptor.digest, from: mountFrom });
    try {
      return await start(push, `?${query}`, [pushScope(repository), pullScope(mountFrom)]);
    } catch (error) {
      // Mounting is a favour; what it was refused for need not concern the upload.
      if (!(error instanceof RegistryError) || error.retryable || error.status === undefined)
        throw error;
    }
  }
  return start(push, '', [pushScope(repository)]);
}

async function start(
  push: Push,
  query: string,
  scopes: readonly string[],
): Promise<Upload | 'mounted'> {
  const started = await startUpload(push, query, scopes);
  if (started === 'mounted') return 'mounted';
  push.minimumChunk = started.minimumChunk;
  return { location: started.location, offset: 0 };
}

/** Opens an upload, or mounts a blob by what the query says. */
export async function startUpload(
  target: UploadTarget,
  query = '',
  scopes: readonly string[] = [pushScope(target.repository)],
): Promise<{ readonly location: URL; readonly minimumChunk: number } | 'mounted'> {
  const response = await target.session.callOnce({
    method: 'POST',
    url: `v2/${target.repository}/blobs/uploads/${query}`,
    body: new Uint8Array(0),
    scopes,
    expect: query === '' ? [202] : [201, 202],
    ...signalOf(target),
  });
  await discard(response);
  if (response.status === 201) return 'mounted';
  const minimumChunk = headerSize(response, 'oci-chunk-min-length') ?? 0;
  return { location: locationOf(response, 'POST'), minimumChunk };
}

/** Sends what is missing by PATCH, in one request or in as many as the size of a chunk asks for. */
async function sendRest(push: Push, from: Upload): Promise<Upload> {
  const source = await push.open();
  const reader = byteReader(source);
  try {
    await reader.skip(from.offset);
    let upload = from;
    while (upload.offset < push.descriptor.size) {
      upload = await patch(push, upload, reader);
      push.upload = upload;
    }
    return upload;
  } finally {
    source.destroy();
  }
}

async function patch(
  push: Push,
  { location, offset }: Upload,
  reader: ByteReader,
): Promise<Upload> {
  const left = push.descriptor.size - offset;
  const size = Math.min(left, push.chunk ?? left);
  let opened = false;
  const open = (): AsyncIterable<Uint8Array> => {
    // These bytes are gone from the source; what arrived of them is asked before they are sent again.
    if (opened)
      throw broken({ method: 'PATCH', url: location }, new Error('the chunk must be sent again'));
    opened = true;
    return counted(reader.read(size), offset, push.onProgress);
  };
  const response = await push.session.callOnce({
    method: 'PATCH',
    url: location,
    // Without `bytes`, unlike RFC 9110.
    headers: { ...OCTETS, 'content-range': `${offset}-${offset + size - 1}` },
    body: { size, open },
    scopes: [pushScope(push.repository)],
    expect: [202],
    answerMilliseconds: push.session.commitMilliseconds,
    ...signalOf(push),
  });
  await discard(response);
  return { location: locationOf(response, 'PATCH'), offset: offset + size };
}

/** Closes the upload; with it go all bytes, if none were sent before. */
async function commit(push: Push, upload: Upload): Promise<void> {
  const { descriptor } = push;
  const whole = {
    size: descriptor.size,
    open: async () => counted(await push.open(), 0, push.onProgress),
  };
  const isUnsent = upload.offset === 0 && descriptor.size > 0;
  await closeUpload(push, upload.location, descriptor, isUnsent ? whole : new Uint8Array(0));
}

export async function closeUpload(
  target: UploadTarget,
  location: URL,
  descriptor: Descriptor,
  body: HttpBody = new Uint8Array(0),
): Promise<void> {
  const url = new URL(location);
  // Appended to the text: the rest of the query may be signed as it stands.
  url.search += `${url.search === '' ? '?' : '&'}digest=${encodeURIComponent(descriptor.digest)}`;
  const response = await target.session.callOnce({
    method: 'PUT',
    url,
    headers: OCTETS,
    body,
    scopes: [pushScope(target.repository)],
    // 204 is not in the specification, but in the field.
    expect: [201, 202, 204],
    answerMilliseconds: target.session.commitMilliseconds,
    ...signalOf(target),
  });
  await discard(response);
  const stored = header(response, 'docker-content-digest');
  if (stored?.startsWith('sha256:') && stored !== descriptor.digest) {
    throw nonsense(
      { method: 'PUT', url },
      `the registry stored the blob as ${stored} instead of ${descriptor.digest}`,
    );
  }
}

/** After a failure: the upload as the registry has it, if going on with it has a point; else it starts anew. */
async function whatArrived(push: Push, before: number): Promise<Upload | undefined> {
  if (push.upload === undefined) return undefined;
  try {
    const response = await push.session.callOnce({
      method: 'GET',
      url: push.upload.location,
      scopes: [pushScope(push.repository)],
      expect: [204],
      ...signalOf(push),
    });
    await discard(response);
    const last = /^(?:bytes=)?0-(\d{1,15})$/.exec(header(response, 'range') ?? '')?.[1];
    // `0-0` is what registries say of one byte, and of none.
    const offset = last === undefined || last === '0' ? 0 : Number(last) + 1;
    if (offset <= before || offset > push.descriptor.size) return undefined;
    return { location: locationOf(response, 'GET', push.upload.location), offset };
  } catch {
    push.signal?.throwIfAborted();
    return undefined;
  }
}

/** A proxy in front of the registry limits the size of a request: the same again in pieces. */
function wantsChunks(push: Push, error: unknown): boolean {
  if (push.chunk !== undefined || !(error instanceof RegistryError) || error.status !== TOO_LARGE)
    return false;
  push.chunk = Math.max(CHUNK, push.minimumChunk);
  push.upload = undefined;
  return true;
}

/** The registry lost an upload that it began, or another of its instances did not hear of it. */
function isLostUpload(push: Push, error: unknown): boolean {
  if (push.upload === undefined || !(error instanceof RegistryError)) return false;
  const codes = ['BLOB_UPLOAD_UNKNOWN', 'BLOB_UPLOAD_INVALID'];
  return (
    error.status === 404 ||
    error.status === 416 ||
    error.errors.some(({ code }) => codes.includes(code))
  );
}

export function locationOf(
  response: HttpResponse,
  method: 'POST' | 'PATCH' | 'GET',
  otherwise?: URL,
): URL {
  const location = header(response, 'location');
  if (location !== undefined) return resolveLocation({ method, url: response.url }, location);
  if (otherwise !== undefined) return otherwise;
  throw nonsense({ method, url: response.url }, 'the registry does not say where to send the blob');
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  start: number,
  onProgress: ((current: number) => void) | undefined,
): AsyncGenerator<Uint8Array> {
  let current = start;
  for await (const chunk of source) {
    yield chunk;
    // Taken by the connection when the next one is asked for.
    current += chunk.byteLength;
    onProgress?.(current);
  }
}

function signalOf({ signal }: UploadTarget): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
