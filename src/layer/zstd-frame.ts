/**
 * Bytes as a frame of zstd. Node has it from 22.15 on; before, the C library does it, which dpkg, rpm and systemd are linked
 * with, called through koffi; or else the program, where it is installed.
 */
import { spawnSync } from 'node:child_process';
import zlib from 'node:zlib';
import { errnoOf, TsbuildError } from '../errors.ts';
import { loadKoffi } from '../host/koffi.ts';
import { lazily } from '../host/lazily.ts';

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
  const { calls } = libzstd();
  if (calls === undefined) return undefined;
  const size = calls.ZSTD_compress(output, output.length, input, input.length, level);
  if (calls.ZSTD_isError(size)) throw new Error(`ZSTD_compress: ${calls.ZSTD_getErrorName(size)}`);
  return size;
};

interface Calls {
  readonly ZSTD_compress: (
    ...args: [output: Buffer, room: number, input: Buffer, size: number, level: number]
  ) => number;
  readonly ZSTD_isError: (result: number) => number;
  readonly ZSTD_getErrorName: (result: number) => string;
}

const libzstd = lazily((): { readonly calls?: Calls } => {
  try {
    const file = loadKoffi().load('libzstd.so.1');
    return {
      calls: {
        ZSTD_compress: file.func(
          'size_t ZSTD_compress(void *out, size_t room, const void *in, size_t size, int level)',
        ),
        ZSTD_isError: file.func('unsigned int ZSTD_isError(size_t result)'),
        ZSTD_getErrorName: file.func('const char *ZSTD_getErrorName(size_t result)'),
      },
    };
  } catch {
    return {};
  }
});

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
