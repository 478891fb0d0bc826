/** Streams that hash what passes through them: one to learn a digest, one to hold bytes to the digest that was promised. */
import { createHash } from 'node:crypto';
import { Transform, type TransformCallback } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import { type Digest, digestFromHex } from '../oci/digest.ts';

export interface Expected {
  readonly digest: Digest;
  readonly size: number;
}

/** Passes bytes on unchanged. `digest()` and `size` speak of all bytes so far; ask after the stream's end, and once. */
export interface HashStream extends Transform {
  digest(): Digest;
  readonly size: number;
}

export function hashStream(): HashStream {
  const hash = createHash('sha256');
  let size = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
  });
  return Object.defineProperty(
    Object.assign(stream, { digest: () => digestFromHex(hash.digest('hex')) }),
    'size',
    { get: () => size },
  ) as Transform as HashStream;
}

/**
 * Passes bytes on unchanged and fails with `DIGEST_MISMATCH` instead of ending when they are not what was promised. More
 * bytes than promised fail at once, so that a lying source cannot fill the disk.
 */
export function verifyStream(expected: Expected, what?: string): Transform {
  const verifier = createVerifier(expected, what);
  const attempt = (done: TransformCallback, work: () => Buffer | null) => {
    try {
      done(null, work());
    } catch (error) {
      done(error as Error);
    }
  };
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) =>
      attempt(done, () => {
        verifier.update(chunk);
        return chunk;
      }),
    flush: (done) =>
      attempt(done, () => {
        verifier.end();
        return null;
      }),
  });
}

/** The same check for who reads synchronously. Both methods throw `DIGEST_MISMATCH`. */
export interface Verifier {
  update(chunk: Uint8Array): void;
  end(): void;
}

/** `what` names the content in the message; the digest does by default. */
export function createVerifier(expected: Expected, what = `blob ${expected.digest}`): Verifier {
  const hash = createHash('sha256');
  let size = 0;
  const fail = (why: string): never => {
    throw new TsbuildError('DIGEST_MISMATCH', `${what}: ${why}`);
  };
  return {
    update(chunk) {
      size += chunk.length;
      if (size > expected.size) fail(`it is longer than the ${expected.size} bytes that were promised`);
      hash.update(chunk);
    },
    end() {
      if (size < expected.size) fail(`it ends after ${size} of ${expected.size} bytes`);
      const digest = digestFromHex(hash.digest('hex'));
      if (digest !== expected.digest) fail(`it has the digest ${digest} instead of ${expected.digest}`);
    },
  };
}
