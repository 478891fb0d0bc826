/**
 * ISA-L, Intel's library for storage, called through koffi: it inflates gzip in half the time that zlib takes, and deflates
 * in four tenths of libdeflate's. Debian has it for amd64 and arm64 (libisal2); nobody has to have it.
 */
import { loadKoffi } from './koffi.ts';
import { lazily } from './lazily.ts';

/** The structs that the functions take begin with the same fields on every host with 64 bits. */
export interface Libisal {
  /** What is made of addresses, as the structs have them. */
  readonly address: (bytes: Uint8Array) => bigint;
  readonly isal_inflate_init: (state: Buffer) => void;
  readonly isal_inflate: (state: Buffer) => number;
  readonly isal_deflate_stateless_init: (stream: Buffer) => void;
  readonly isal_deflate_stateless: (stream: Buffer) => number;
}

/** Nothing where it is not there. */
export function libisal(): Libisal | undefined {
  return loaded().library;
}

const loaded = lazily((): { readonly library?: Libisal } => {
  try {
    const koffi = loadKoffi();
    const file = koffi.load('libisal.so.2');
    return {
      library: {
        address: koffi.address,
        isal_inflate_init: file.func('void isal_inflate_init(void *state)'),
        isal_inflate: file.func('int isal_inflate(void *state)'),
        isal_deflate_stateless_init: file.func('void isal_deflate_stateless_init(void *stream)'),
        isal_deflate_stateless: file.func('int isal_deflate_stateless(void *stream)'),
      },
    };
  } catch {
    return {};
  }
});
