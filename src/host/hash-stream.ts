/** Hashing what passes by: to learn a digest, or to hold bytes to the digest and size that were promised. */
import { createHash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import { type Digest, digestFromHex } from '../oci/digest.ts';

export interface Expected {
  readonly digest: Digest;
  readonly size: number;
}

/** For who reads synchronously. With `expected`, both methods throw `DIGEST_MISMATCH`. */
export interface Hasher {
  /** Bytes so far. */
  readonly size: number;
  /** More bytes than promised fail at once, so that a lying source cannot fill the disk. */
  update(chunk: Uint8Array): void;
  /** Call once, at the end. */
  finish(): Expected;
}

/** `what` names the content in messages; the promised digest does by default. */
export function createHasher(expected?: Expected, what = `blob ${expected?.digest}`): Hasher {
  const hash = createHash('sha256');
  let size = 0;
  const fail = (why: string): never => {
    throw new TsbuildError('DIGEST_MISMATCH', `${what}: ${why}`);
  };
  return {
    get size() {
      return size;
    },
    update(chunk) {
      size += chunk.length;
      if (expected && size > expected.size)
        fail(`it is longer than the ${expected.size} bytes that were promised`);
      hash.update(chunk);
    },
    finish() {
      if (expected && size < expected.size) fail(`it ends after ${size} of ${expected.size} bytes`);
      const digest = digestFromHex(hash.digest('hex'));
      if (expected && digest !== expected.digest)
        fail(`it has the digest ${digest} instead of ${expected.digest}`);
      return { digest, size };
    },
  };
}

/** Passes bytes on unchanged, and fails with `DIGEST_MISMATCH` instead of ending when they are not what was promised. */
export function verifyStream(expected: Expected, what?: string): Transform {
  const hasher = createHasher(expected, what);
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => attempt(done, () => hasher.update(chunk), chunk),
    flush: (done) => attempt(done, () => hasher.finish()),
  });
}

function attempt(done: TransformCallback, work: () => unknown, chunk?: Buffer): void {
  try {
    work();
  } catch (error) {
    done(error as Error);
    return;
  }
  done(null, chunk);
}
