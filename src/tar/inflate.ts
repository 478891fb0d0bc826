/** Takes the compression off a tar: what layers may have, and what archives that people ADD and load come in. */
import { spawn } from 'node:child_process';
import { Duplex, PassThrough, type Transform } from 'node:stream';
import zlib from 'node:zlib';
import { errnoOf, TsbuildError } from '../errors.ts';
import { unzstdStream } from './unzstd.ts';

export type TarCompression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz';

/** Each chunk costs a turn of the event loop: few large ones pass about a third faster than the default's many. */
const CHUNK = 256 * 1024;
/** Enough that zlib's thread goes on while this one reads what there is. */
const GUNZIP = { chunkSize: CHUNK, readableHighWaterMark: 4 * CHUNK };

const MAGIC: readonly (readonly [TarCompression, Buffer])[] = [
  ['gzip', Buffer.of(0x1f, 0x8b, 8)],
  ['zstd', Buffer.of(0x28, 0xb5, 0x2f, 0xfd)],
  ['bzip2', Buffer.from('BZh')],
  ['xz', Buffer.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0)],
];

/** Of a file that begins with these bytes; `none` for everything that is not known. */
export function detectCompression(head: Uint8Array): TarCompression {
  const isMagic = (magic: Buffer) => magic.equals(head.subarray(0, magic.length));
  return MAGIC.find(([, magic]) => isMagic(magic))?.[0] ?? 'none';
}

/**
 * Compressed bytes in, plain bytes out. Errors of damaged input are zlib's own: see {@link inflateError}.
 * Fails with `UNSUPPORTED_HOST` if a program is needed that is not there.
 */
export function inflateStream(compression: TarCompression): Duplex {
  if (compression === 'none') return new PassThrough();
  // Reads every member of a gzip file: parallel compressors write several.
  if (compression === 'gzip') return zlib.createGunzip(GUNZIP);
  return (compression === 'zstd' ? zstdStream() : undefined) ?? programStream(compression);
}

function zstdStream(): Transform | undefined {
  return (zlib as ZlibWithZstd).createZstdDecompress?.({ chunkSize: CHUNK }) ?? unzstdStream();
}

/** From Node 22.15 on, zlib has zstd; the types here are those of Node 20. */
interface ZlibWithZstd {
  readonly createZstdDecompress?: (options: { chunkSize: number }) => Transform;
}

/** zlib's own errors speak of headers and codes; who reads them wants to know that the input is damaged. */
export function inflateError(error: unknown, operation: string): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!/^(Z_|ZSTD_|ERR__ZSTD|ERR_ZSTD)/.test(code)) return error;
  return new TsbuildError('ARCHIVE', `${operation}: the compressed data is damaged`, {
    cause: error,
  });
}

/** What Node cannot inflate, the program of that name does, where it is installed. */
function programStream(program: string): Duplex {
  const child = spawn(program, ['-dcq'], { stdio: 'pipe' });
  let complaint = '';
  const stream = new Duplex({
    // Whether it still reads does not matter: its exit status tells what went wrong.
    write: (chunk, _encoding, done) => void child.stdin.write(chunk, () => done()),
    final: (done) => void child.stdin.end(() => done()),
    read: () => void child.stdout.resume(),
    destroy: (error, done) => {
      child.kill('SIGKILL');
      done(error);
    },
  });
  child.stdin.on('error', () => {});
  child.stdout.on('data', (chunk) => {
    if (!stream.push(chunk)) child.stdout.pause();
  });
  child.stderr.on('data', (text: Buffer) => {
    complaint = (complaint + text).slice(-1000);
  });
  child.on('error', (cause) => stream.destroy(cannotStart(program, cause)));
  child.on('close', (status) => {
    if (status === 0) stream.push(null);
    else
      stream.destroy(
        new TsbuildError(
          'ARCHIVE',
          `inflate with ${program}: ${complaint.trim() || `status ${status}`}`,
        ),
      );
  });
  return stream;
}

function cannotStart(program: string, cause: Error): TsbuildError {
  const why = errnoOf(cause) === 'ENOENT' ? `there is no ${program} program` : cause.message;
  const hint =
    program === 'zstd' ? 'use Node.js 22.15 or newer, or install zstd' : `install ${program}`;
  return new TsbuildError('UNSUPPORTED_HOST', `inflate ${program}: ${why}`, { cause, hint });
}
