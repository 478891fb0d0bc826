/**
 * libdeflate, which makes what zlib makes in half the time. It is called through koffi, and is where libraries for pictures
 * are that are linked with it; nobody has to have it.
 */
import { loadKoffi } from '../host/koffi.ts';
import { lazily } from '../host/lazily.ts';
import type { Squeezer } from './squeezer.ts';

/** Nothing where there is no libdeflate. Levels are those of gzip; some more would be slower. */
export function openLibdeflate(level: number): Squeezer | undefined {
  const { calls } = libdeflate();
  if (calls === undefined) return undefined;
  const compressor = calls.libdeflate_alloc_compressor(level);
  if (!compressor) return undefined;
  return {
    squeeze: (input, output) =>
      calls.libdeflate_gzip_compress(compressor, input, input.length, output, output.length),
    [Symbol.dispose]: () => calls.libdeflate_free_compressor(compressor),
  };
}

interface Calls {
  readonly libdeflate_alloc_compressor: (level: number) => unknown;
  readonly libdeflate_free_compressor: (compressor: unknown) => void;
  readonly libdeflate_gzip_compress: (
    ...args: [compressor: unknown, input: Buffer, size: number, output: Buffer, room: number]
  ) => number;
}

const libdeflate = lazily((): { readonly calls?: Calls } => {
  try {
    const file = loadKoffi().load('libdeflate.so.0');
    return {
      calls: {
        libdeflate_alloc_compressor: file.func('void *libdeflate_alloc_compressor(int level)'),
        libdeflate_free_compressor: file.func('void libdeflate_free_compressor(void *compressor)'),
        libdeflate_gzip_compress: file.func(
          'size_t libdeflate_gzip_compress(void *compressor, const void *in, size_t size, void *out, size_t room)',
        ),
      },
    };
  } catch {
    return {};
  }
});
