/** Blobs of one repository: whether they are there, and their bytes, verified, across connections that break. */
import { pipeline, Readable } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import { verifyStream } from '../host/hash-stream.ts';
import type { CallOptions } from '../oci/content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { broken } from './error.ts';
import { discard, type HttpResponse, header, headerSize } from './http.ts';
import { pause } from './retry.ts';
import { pullScope } from './scope.ts';
import type { Session } from './session.ts';

export function blobPath(repository: string, digest: string): string {
  return `v2/${repository}/blobs/${digest}`;
}

export async function blobExists(
  session: Session,
  repository: string,
  descriptor: Descriptor,
  { signal }: CallOptions = {},
): Promise<boolean> {
  const response = await session.call(headBlob(repository, descriptor, signal));
  await discard(response);
  return response.status === 200;
}

export function headBlob(repository: string, { digest }: Descriptor, signal?: AbortSignal) {
  return {
    method: 'HEAD',
    url: blobPath(repository, digest),
    scopes: [pullScope(repository)],
    expect: [200, 404],
    ...(signal ? { signal } : {}),
  } as const;
}

/** The first request is made before this returns, so a blob that is not there is an error here, not in the stream. */
export async function fetchBlob(
  session: Session,
  repository: string,
  descriptor: Descriptor,
  options: CallOptions = {},
): Promise<Readable> {
  const source = await openBlob(session, repository, descriptor, 0, options);
  const what = `blob ${descriptor.digest} from ${session.registry}`;
  // The callback is the pipeline's due; who reads hears of a failure.
  return pipeline(source, verifyStream(descriptor, what), () => {});
}

/** The blob's bytes from `start` on, which nobody has verified. */
export async function openBlob(
  session: Session,
  repository: string,
  descriptor: Descriptor,
  start: number,
  options: CallOptions = {},
): Promise<Readable> {
  const first = await request(session, repository, descriptor, start, options.signal);
  const bytes = resuming(session, repository, descriptor, { first, start }, options);
  // A stream that is dropped unread never starts its generator, which would have closed the connection.
  const stream = Readable.from(bytes, { objectMode: false });
  return stream.once('close', () => first.body.destroy());
}

/** An attempt that moved this much does not count as failed. Less would let a registry keep us busy with crumbs. */
const WORTHWHILE = 1024 * 1024;

/** What must come in the time after which silence is a broken connection; one byte now and then is no better. */
const TRICKLE_BYTES = 1024;

/** The blob's bytes, from however many answers it takes. */
async function* resuming(
  session: Session,
  repository: string,
  descriptor: Descriptor,
  { first, start }: { readonly first: HttpResponse; readonly start: number },
  { signal, onProgress }: CallOptions,
): AsyncGenerator<Buffer> {
  let response = first;
  let offset = start;
  for (let failures = 0; ; ) {
    const before = offset;
    try {
      for await (const chunk of unstalled(session, response)) {
        offset += chunk.length;
        onProgress?.(offset);
        yield chunk;
      }
      if (offset >= descriptor.size) return;
      throw broken(
        { method: 'GET', url: response.url },
        new Error(`the answer ended after ${offset} of ${descriptor.size} bytes`),
      );
    } catch (error) {
      signal?.throwIfAborted();
      // Broken off behind its last byte: there is nothing more to ask for.
      if (offset === descriptor.size) return;
      failures = offset - before >= WORTHWHILE ? 1 : failures + 1;
      const failure =
        error instanceof TsbuildError ? error : broken({ method: 'GET', url: response.url }, error);
      await pause(session.policy, failure, failures, { signal });
      response = await request(session, repository, descriptor, offset, signal);
    }
  }
}

/** The transport sees silence; this sees a trickle. */
async function* unstalled(session: Session, { url, body }: HttpResponse): AsyncGenerator<Buffer> {
  const { policy, stallMilliseconds } = session;
  let [since, bytes] = [policy.clock.now(), 0];
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    const now = policy.clock.now();
    if (now - since > stallMilliseconds) {
      if (bytes < TRICKLE_BYTES)
        throw broken(
          { method: 'GET', url },
          new Error(`only ${bytes} bytes came in ${now - since} ms`),
        );
      [since, bytes] = [now, 0];
    }
    yield chunk;
  }
}

/** An answer whose body starts at `offset` of the blob. */
async function request(
  session: Session,
  repository: string,
  descriptor: Descriptor,
  offset: number,
  signal?: AbortSignal,
): Promise<HttpResponse> {
  const response = await session.call({
    method: 'GET',
    url: blobPath(repository, descriptor.digest),
    ...(offset > 0 ? { headers: { range: `bytes=${offset}-` } } : {}),
    scopes: [pullScope(repository)],
    expect: offset > 0 ? [200, 206, 404] : [200, 404],
    ...(signal ? { signal } : {}),
  });
  if (response.status === 404) {
    await discard(response);
    throw new TsbuildError(
      'NOT_FOUND',
      `${session.registry}/${repository} has no blob ${descriptor.digest}`,
    );
  }
  const starts = response.status === 206 ? rangeStart(response) : 0;
  const length = headerSize(response, 'content-length');
  if (length !== undefined && starts + length > descriptor.size) {
    response.body.destroy();
    throw new TsbuildError(
      'DIGEST_MISMATCH',
      `blob ${descriptor.digest} from ${session.registry} has ${starts + length} bytes instead of ${descriptor.size}`,
    );
  }
  return offset === starts ? response : { ...response, body: await skip(response, starts, offset) };
}

function rangeStart(response: HttpResponse): number {
  const match = /^bytes (\d{1,15})-/.exec(header(response, 'content-range') ?? '');
  return match === null ? 0 : Number(match[1]);
}

/** A server without ranges sends all of it again: what we have already is read over. */
async function skip(response: HttpResponse, starts: number, offset: number): Promise<Readable> {
  async function* rest(): AsyncGenerator<Buffer> {
    let left = offset - starts;
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      if (left < chunk.length) yield left > 0 ? chunk.subarray(left) : chunk;
      left = Math.max(0, left - chunk.length);
    }
  }
  if (starts > offset) {
    response.body.destroy();
    throw broken(
      { method: 'GET', url: response.url },
      new Error(`the answer starts at ${starts} instead of ${offset}`),
    );
  }
  return Readable.from(rest(), { objectMode: false });
}
