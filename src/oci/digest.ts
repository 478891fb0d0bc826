/**
 * Content addresses. All are `sha256:` and 64 hex digits; the brands keep what they cover apart:
 * a {@link Digest} covers stored bytes, a {@link DiffID} a layer's uncompressed tar, a {@link ChainID} a stack of
 * diffIDs, a {@link CacheKey} the recipe of a step.
 */
import { type BinaryLike, hash } from 'node:crypto';
import { TsbuildError } from '../errors.ts';

declare const covers: unique symbol;
type Sha256<Kind extends string> = string & { readonly [covers]: Kind };

export type DiffID = Sha256<'diffID'>;
/** A diffID is also the digest of the layer's blob when it is stored uncompressed. */
export type Digest = Sha256<'digest'> | DiffID;
export type ChainID = Sha256<'chainID'>;
export type CacheKey = Sha256<'cacheKey'>;

const PATTERN = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): boolean {
  return PATTERN.test(text);
}

/** @throws TsbuildError `MANIFEST` if `text` is not a sha256 digest, the only algorithm that is supported. */
export function parseDigest<D extends Digest | DiffID | ChainID | CacheKey = Digest>(
  text: string,
): D {
  if (!PATTERN.test(text))
    throw new TsbuildError(
      'MANIFEST',
      `not a sha256 digest: ${JSON.stringify(text.slice(0, 200))}`,
    );
  return text as D;
}

export function digestOf<D extends Digest | DiffID | ChainID | CacheKey = Digest>(
  bytes: BinaryLike,
): D {
  return `sha256:${hash('sha256', bytes, 'hex')}` as D;
}

/** From the 64 hex digits of a finished hash. */
export function digestFromHex<D extends Digest | DiffID | ChainID | CacheKey = Digest>(
  hex: string,
): D {
  return parseDigest<D>(`sha256:${hex}`);
}

export function hexOf(digest: Digest | DiffID | ChainID | CacheKey): string {
  return digest.slice('sha256:'.length);
}
