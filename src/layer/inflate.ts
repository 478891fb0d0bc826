/** Takes the compression off a layer's blob. */
import { spawn } from 'node:child_process';
import { Duplex, PassThrough, type Transform } from 'node:stream';
import zlib from 'node:zlib';
import { errnoOf, TsbuildError } from '../errors.ts';
import type { Compression } from '../oci/media-types.ts';

/** Each chunk costs a turn of the event loop: few large ones pass about a third faster than the default's many. */
const CHUNK = 256 * 1024;

/** Compressed bytes in, plain bytes out. Fails with `ARCHIVE` for damaged input, `UNSUPPORTED_HOST` for want of zstd. */
export function inflateStream(compression: Compression): Duplex {
  if (compression === 'none') return new PassThrough();
  if (compression === 'zstd') return zstdStream();
  // Reads every member of a gzip file: parallel compressors write several.
  return zlib.createGunzip({ chunkSize: CHUNK });
}

/** From Node 22.15 on, zlib has zstd; the types here are those of Node 20. */
interface ZlibWithZstd {
  readonly createZstdDecompress?: (options: { chunkSize: number }) => Transform;
}

function zstdStream(): Duplex {
  const create = (zlib as ZlibWithZstd).createZstdDecompress;
  return create === undefined ? zstdProgram() : create({ chunkSize: CHUNK });
}

/** Before that, the program does it, where it is installed. */
function zstdProgram(): Duplex {
  const child = spawn('zstd', ['--decompress', '--stdout', '--quiet'], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stream = Duplex.from({ writable: child.stdin, readable: child.stdout });
  let complaint = '';
  child.stderr.on('data', (text: Buffer) => {
    complaint = (complaint + text).slice(-1000);
  });
  child.on('error', (cause) => stream.destroy(cannotStart(cause)));
  child.on('close', (status) => {
    if (status !== 0)
      stream.destroy(
        new TsbuildError('ARCHIVE', `inflate zstd: ${complaint.trim() || `status ${status}`}`),
      );
  });
  stream.on('close', () => child.kill());
  return stream;
}

function cannotStart(cause: Error): TsbuildError {
  const why =
    errnoOf(cause) === 'ENOENT'
      ? 'this Node.js cannot, and there is no zstd program'
      : cause.message;
  return new TsbuildError('UNSUPPORTED_HOST', `inflate zstd: ${why}`, {
    cause,
    hint: 'use Node.js 22.15 or newer, or install zstd',
  });
}

/** zlib's own errors speak of headers and codes; who reads them wants to know that the blob is damaged. */
export function inflateError(error: unknown, what: string): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!/^(Z_|ZSTD_|ERR__ZSTD)/.test(code)) return error;
  return new TsbuildError('ARCHIVE', `${what}: the compressed data is damaged`, { cause: error });
}
