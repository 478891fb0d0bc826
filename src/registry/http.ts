/** One HTTP exchange as the layers of this folder see it. */
import type { Readable } from 'node:stream';

/** Bytes to send: at hand, or opened when they are needed, and again when the request must be repeated. */
export type HttpBody = Uint8Array | HttpStream;

export interface HttpStream {
  /** Unknown for what is still being made. */
  readonly size?: number;
  readonly open: () => AsyncIterable<Uint8Array> | Promise<AsyncIterable<Uint8Array>>;
}

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: HttpBody;
  /** The body proves who we are: no other origin may have it. */
  readonly isBodyPrivate?: boolean;
  readonly signal?: AbortSignal;
  /** How long to wait for the answer once the request is sent, where that is not the usual. */
  readonly answerMilliseconds?: number;
}

export interface HttpResponse {
  readonly status: number;
  /** Where the answer came from: differs from the request's after a redirect. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Must be read to its end or destroyed: the connection is held until then. */
  readonly body: Readable;
}

/** @throws RegistryError `NETWORK`, or the signal's reason. An answer of any status is a result. */
export type Exchange = (request: HttpRequest) => Promise<HttpResponse>;

export function header(response: HttpResponse, name: string): string | undefined {
  const value = response.headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

export function headers(response: HttpResponse, name: string): readonly string[] {
  const value = response.headers[name];
  return value === undefined ? [] : typeof value === 'string' ? [value] : value;
}

/** A header that holds a count of bytes; `undefined` if it is absent or is none. */
export function headerSize(response: HttpResponse, name: string): number | undefined {
  const text = header(response, name);
  if (text === undefined || !/^\d{1,15}$/.test(text)) return undefined;
  return Number(text);
}

/** The first `limit` bytes of an answer; what follows is not read, so an answer without end costs nothing. */
export async function readBounded(body: Readable, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= limit) break;
  }
  return Buffer.concat(chunks).subarray(0, limit);
}

/** Gives the connection back for the next request, unless the rest of the answer is too long to be worth reading. */
export async function discard(response: HttpResponse): Promise<void> {
  try {
    await readBounded(response.body, 64 * 1024);
  } catch {
    // The status and headers are all that was wanted.
  } finally {
    response.body.destroy();
  }
}
