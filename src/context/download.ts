/** Files by http: contexts, and ADD of a URL. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TsbuildError } from '../errors.ts';
import { diskError } from '../host/disk-error.ts';
import type { FileNode } from '../tree/file-tree.ts';
import type { KnownDownload, KnownDownloads } from './known-downloads.ts';
import { redactUrl } from './location.ts';

export interface DownloadOptions {
  /** Private; gets the file, and must stay as long as it is in use. */
  readonly directory: string;
  /** Follows redirects, knows proxies. */
  readonly fetch: typeof globalThis.fetch;
  /** `sha256:…`, `sha384:…` or `sha512:…` that the bytes must have. */
  readonly checksum?: string;
  /** What earlier builds downloaded. */
  readonly known?: KnownDownloads;
  readonly signal?: AbortSignal;
}

const CHECKSUM_LENGTHS: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/**
 * The file that `url` names: as known, if the server says that this is still so. As the engine has it: of root alone to read
 * and write, with the time of `Last-Modified`, else 1970.
 * @throws TsbuildError `NETWORK`, `DIGEST_MISMATCH`, `USAGE` for a malformed checksum, `DISK_FULL`
 */
export async function download(url: string, options: DownloadOptions): Promise<FileNode> {
  const expected = options.checksum === undefined ? undefined : parseChecksum(options.checksum);
  const known = options.known?.find(url);
  // What is known must be what is asked for: by its sha256 that can be told.
  const usable =
    known !== undefined &&
    (expected === undefined || (expected.algorithm === 'sha256' && expected.hex === known.sha256));
  const response = await request(url, options, usable ? conditionsOf(known) : {});
  if (usable && isSame(response, known)) {
    await response.body?.cancel();
    return toNode(known.file, known);
  }
  const file = path.join(fs.mkdtempSync(path.join(options.directory, 'download-')), 'file');
  const sha256 = await receive(url, response, file, { ...options, expected });
  const etag = response.headers.get('etag');
  const lastModified = response.headers.get('last-modified');
  const seen = {
    ...(etag === null ? {} : { etag }),
    ...(lastModified === null ? {} : { lastModified }),
    sha256,
    size: fs.statSync(file).size,
  };
  return toNode(options.known?.keep(url, file, seen) ?? file, seen);
}

function conditionsOf({ etag, lastModified }: KnownDownload): Record<string, string> {
  if (etag !== undefined) return { 'if-none-match': etag };
  return lastModified === undefined ? {} : { 'if-modified-since': lastModified };
}

/** Some servers send a file again with the validator that they were asked about. */
function isSame({ status, headers }: Response, { etag }: KnownDownload): boolean {
  return status === 304 || (etag !== undefined && headers.get('etag') === etag);
}

export interface Checksum {
  readonly algorithm: string;
  readonly hex: string;
}

/** Writes the answer's bytes, and returns their sha256 in hex. */
async function receive(
  url: string,
  response: Response,
  file: string,
  { signal, expected }: DownloadOptions & { readonly expected: Checksum | undefined },
): Promise<string> {
  const hashes = ['sha256', expected?.algorithm ?? 'sha256'].map((name) => createHash(name));
  const hashing = new Transform({
    transform(chunk, _encoding, done) {
      for (const hash of hashes) hash.update(chunk);
      done(null, chunk);
    },
  });
  try {
    const body = Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]);
    const stages = [body, hashing, fs.createWriteStream(file, { mode: 0o600 })];
    await pipeline(stages, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw unreachable(url, error);
  }
  const [sha256, hex] = hashes.map((hash) => hash.digest('hex'));
  if (expected !== undefined && hex !== expected.hex) {
    const { algorithm, hex: wanted } = expected;
    throw new TsbuildError(
      'DIGEST_MISMATCH',
      `download ${redactUrl(url)}: it has ${algorithm}:${hex}, not ${algorithm}:${wanted}`,
      { hint: 'If the file was meant to change, put its new digest into --checksum.' },
    );
  }
  return sha256!;
}

/** The file's name as ADD has it: the last part of the URL's path. */
export function downloadName(url: string): string {
  // Not through URL, which would take `..` back.
  const written = /^\w+:\/\/[^/?#]*([^?#]*)/.exec(url)?.[1] ?? '';
  let decoded = written;
  try {
    decoded = decodeURIComponent(written);
  } catch {
    // A stray % is taken as it is.
  }
  return path.posix.basename(decoded) || '__unnamed__';
}

async function request(
  url: string,
  { fetch, signal }: DownloadOptions,
  headers: Record<string, string>,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { headers, ...(signal === undefined ? {} : { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    throw unreachable(url, error);
  }
  if (response.status === 304 && Object.keys(headers).length > 0) return response;
  if (response.ok && response.body !== null) return response;
  await response.body?.cancel();
  throw new TsbuildError('NETWORK', `download ${redactUrl(url)}: status ${response.status}`, {
    retryable: response.status >= 500 || response.status === 429,
  });
}

function toNode(file: string, { sha256, size, lastModified }: KnownDownload): FileNode {
  const modified = Date.parse(lastModified ?? '');
  return {
    type: 'file',
    mode: 0o600,
    uid: 0,
    gid: 0,
    size,
    mtime: Number.isNaN(modified) ? 0n : BigInt(modified) * 1_000_000n,
    content: { file, offset: 0, size },
    sha256,
  };
}

/** @throws TsbuildError `USAGE` */
export function parseChecksum(text: string): Checksum {
  const [, algorithm = '', hex = ''] = /^([a-z0-9]+):([0-9a-f]+)$/.exec(text) ?? [];
  if (hex.length === 0 || CHECKSUM_LENGTHS[algorithm] !== hex.length) {
    throw new TsbuildError('USAGE', `--checksum=${text}: not a digest`, {
      hint: 'Write sha256: and 64 hex digits.',
    });
  }
  return { algorithm, hex };
}

function unreachable(url: string, error: unknown): unknown {
  const known = diskError(error, `download ${redactUrl(url)}`, 'NETWORK');
  if (known !== error) return known;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new TsbuildError('NETWORK', `download ${redactUrl(url)}: ${why}`, {
    cause: error,
    retryable: true,
  });
}
