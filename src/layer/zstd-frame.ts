/** Bytes as a frame of zstd, by Node.js, by the C library, or by the program: whatever there is. */
import { spawnSync } from 'node:child_process';
import zlib from 'node:zlib';
import { errnoOf, TsbuildError } from '../errors.ts';
import { libzstd } from '../host/libzstd.ts';

/** Makes a frame at the start of the output, and returns its size; or nothing, if the host lacks what it needs. */
export type ZstdEncoder = (input: Buffer, output: Buffer, level: number) => number | undefined;

/** What comes out at most: ZSTD_COMPRESSBOUND of zstd.h, and a little more for small inputs. */
export function zstdRoom(size: number): number {
  return size + (size >>> 8) + 1024;
}

/** zstd's own default. */
const LEVEL = 3;

/** Returns the frame's size. @throws TsbuildError `UNSUPPORTED_HOST` if nothing here can do it */
export function zstdFrame(input: Buffer, output: Buffer, level = LEVEL): number {
  return (
    byNode(input, output, level) ??
    byLibrary(input, output, level) ??
    byProgram(input, output, level)
  );
}

/** From Node 22.15 on; the types here are those of Node 20. */
interface ZlibWithZstd {
  readonly zstdCompressSync?: (
    bytes: Buffer,
    options: { params: Record<number, number> },
  ) => Buffer;
}
/** ZSTD_c_compressionLevel. */
const ZSTD_LEVEL = 100;

const byNode: ZstdEncoder = (input, output, level) =>
  (zlib as ZlibWithZstd)
    .zstdCompressSync?.(input, { params: { [ZSTD_LEVEL]: level } })
    .copy(output);

export const byLibrary: ZstdEncoder = (input, output, level) => {
  const library = libzstd();
  if (library === undefined) return undefined;
  const size = library.ZSTD_compress(output, output.length, input, input.length, level);
  if (library.ZSTD_isError(size))
    throw new Error(`ZSTD_compress: ${library.ZSTD_getErrorName(size)}`);
  return size;
};

/** 0 is the default level, as in the library. */
export function byProgram(input: Buffer, output: Buffer, level: number): number {
  const args = [
    '-qc',
    '--no-check',
    `--stream-size=${input.length}`,
    '--ultra',
    `-${level || LEVEL}`,
  ];
  const { status, stdout, stderr, error } = spawnSync('zstd', args, {
    input,
    maxBuffer: output.length,
  });
  if (status === 0) return stdout.copy(output);
  const why =
    errnoOf(error) === 'ENOENT' ? 'neither Node.js nor a library or program of that name can' : '';
  throw new TsbuildError(
    'UNSUPPORTED_HOST',
    `compress with zstd: ${why || error?.message || String(stderr).trim()}`,
    { cause: error, hint: 'use Node.js 22.15 or newer, install zstd, or use gzip' },
  );
}
