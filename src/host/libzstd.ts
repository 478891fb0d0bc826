/**
 * libzstd, called through koffi: Node has zstd from 22.15 on, and before, hosts have at least the library that dpkg, rpm and
 * systemd are linked with.
 */
import { loadKoffi } from './koffi.ts';
import { lazily } from './lazily.ts';

export interface Libzstd {
  /** What is made of addresses, as `ZSTD_inBuffer` and `ZSTD_outBuffer` have them. */
  readonly address: (bytes: Uint8Array) => bigint;
  readonly ZSTD_compress: (
    ...args: [output: Buffer, room: number, input: Buffer, size: number, level: number]
  ) => number;
  readonly ZSTD_createDStream: () => unknown;
  readonly ZSTD_freeDStream: (stream: unknown) => number;
  /** Returns 0 at the end of a frame. */
  readonly ZSTD_decompressStream: (stream: unknown, output: Buffer, input: Buffer) => number;
  readonly ZSTD_isError: (result: number) => number;
  readonly ZSTD_getErrorName: (result: number) => string;
}

/** Nothing where it is not there. */
export function libzstd(): Libzstd | undefined {
  return loaded().library;
}

const loaded = lazily((): { readonly library?: Libzstd } => {
  try {
    const koffi = loadKoffi();
    const file = koffi.load('libzstd.so.1');
    return {
      library: {
        address: koffi.address,
        ZSTD_compress: file.func(
          'size_t ZSTD_compress(void *out, size_t room, const void *in, size_t size, int level)',
        ),
        ZSTD_createDStream: file.func('void *ZSTD_createDStream()'),
        ZSTD_freeDStream: file.func('size_t ZSTD_freeDStream(void *stream)'),
        ZSTD_decompressStream: file.func(
          'size_t ZSTD_decompressStream(void *stream, void *out, void *in)',
        ),
        ZSTD_isError: file.func('unsigned int ZSTD_isError(size_t result)'),
        ZSTD_getErrorName: file.func('const char *ZSTD_getErrorName(size_t result)'),
      },
    };
  } catch {
    return {};
  }
});
