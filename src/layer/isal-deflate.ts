/** Gzip by ISA-L, which takes four tenths of the time that libdeflate's fast levels take, and leaves some hundredths more. */
import { gunzipSync } from 'node:zlib';
import { lazily } from '../host/lazily.ts';
import { type Libisal, libisal } from '../host/libisal.ts';
import type { Squeezer } from './squeezer.ts';

/** Nothing where there is no ISA-L, or not the one that is known here. It is this thread's only one: its memory stays. */
export function openIsal(): Squeezer | undefined {
  return own().squeezer;
}

/**
 * Of 0 to 3. What 3 makes differs from processor to processor, and a layer's digest should not; 2 makes the same on all of
 * x86-64 (and something else on arm64), as fast as 1.
 */
const LEVEL = 2;

/**
 * Half for tables, half for what becomes one block. Blocks of a fraction of the library's own size suit their codes better
 * to what is in them: they save 2.5 % of Debian's files for a tenth of the time, and yet smaller ones save no more.
 */
const WORK_BYTES = 96 * 1024;

/** The struct `isal_zstream` has 82384 bytes. */
const STREAM_BYTES = 128 * 1024;
const NEXT_IN = 0 / 8;
const AVAIL_IN = 8 / 4;
const NEXT_OUT = 16 / 8;
const AVAIL_OUT = 24 / 4;
const STREAM_LEVEL = 40 / 4;
const WORK_SIZE = 44 / 4;
const WORK = 48 / 8;
const END_OF_STREAM = 56 / 2;
const GZIP_FLAG = 60 / 2;
/** A header without a time or a name, and a trailer. */
const IGZIP_GZIP = 1;
const COMP_OK = 0;

function squeezerOf(library: Libisal): Squeezer {
  const stream = Buffer.from(new ArrayBuffer(STREAM_BYTES));
  const halves = new Uint16Array(stream.buffer);
  const words = new Uint32Array(stream.buffer);
  const addresses = new BigUint64Array(stream.buffer);
  const work = Buffer.allocUnsafeSlow(WORK_BYTES);
  return {
    squeeze(input, output) {
      library.isal_deflate_stateless_init(stream);
      addresses[NEXT_IN] = library.address(input);
      words[AVAIL_IN] = input.length;
      addresses[NEXT_OUT] = library.address(output);
      words[AVAIL_OUT] = output.length;
      words[STREAM_LEVEL] = LEVEL;
      addresses[WORK] = library.address(work);
      words[WORK_SIZE] = work.length;
      halves[END_OF_STREAM] = 1;
      halves[GZIP_FLAG] = IGZIP_GZIP;
      if (library.isal_deflate_stateless(stream) !== COMP_OK) return 0;
      return output.length - words[AVAIL_OUT]!;
    },
    [Symbol.dispose]() {},
  };
}

/** As in tar/isal-gunzip.ts: the struct's fields are known here by their places, so it is asked once to make something. */
const own = lazily((): { readonly squeezer?: Squeezer } => {
  const library = libisal();
  const squeezer = library && squeezerOf(library);
  return squeezer !== undefined && isRight(squeezer) ? { squeezer } : {};
});

function isRight(squeezer: Squeezer): boolean {
  const plain = Buffer.from('what repeats and repeats '.repeat(20));
  const output = Buffer.alloc(1024);
  const size = squeezer.squeeze(plain, output);
  try {
    return size < plain.length && gunzipSync(output.subarray(0, size)).equals(plain);
  } catch {
    return false;
  }
}
