/** zstd's frames taken apart by libzstd, as a stream. */
import { Transform } from 'node:stream';
import { type Libzstd, libzstd } from '../host/libzstd.ts';

/** Of what comes out at once. */
const CHUNK = 256 * 1024;

/** Nothing where there is no libzstd. Fails with codes that begin with `ZSTD_`. */
export function unzstdStream(): Transform | undefined {
  const library = libzstd();
  return library && streamBy(library);
}

function streamBy(library: Libzstd): Transform {
  const context = library.ZSTD_createDStream();
  /** What is missing of the frame, at least; 0 between frames. */
  let missing = 0;
  const inflate = (chunk: Buffer): void => {
    const input = bufferStruct(library, chunk);
    let isFull = true;
    // Whoever gets the bytes may want no more, and the context is gone then.
    while (!stream.destroyed && (isFull || positionOf(input) < chunk.length)) {
      const bytes = Buffer.allocUnsafeSlow(CHUNK);
      const output = bufferStruct(library, bytes);
      missing = library.ZSTD_decompressStream(context, output, input);
      if (library.ZSTD_isError(missing)) throw damaged(library.ZSTD_getErrorName(missing));
      const size = positionOf(output);
      if (size > 0) stream.push(bytes.subarray(0, size));
      isFull = missing > 0 && size === CHUNK;
    }
  };
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        inflate(chunk);
      } catch (error) {
        done(error as Error);
        return;
      }
      done();
    },
    flush: (done) => done(missing === 0 ? null : damaged('it ends within a frame')),
    destroy(error, done) {
      library.ZSTD_freeDStream(context);
      done(error);
    },
  });
  return stream;
}

function damaged(why: string): Error {
  return Object.assign(new Error(why), { code: 'ZSTD_DAMAGED' });
}

/** `ZSTD_inBuffer` and `ZSTD_outBuffer`: an address, a size and a position; on every host that koffi has a binary for, 64 bits. */
function bufferStruct({ address }: Libzstd, bytes: Buffer): Buffer {
  const struct = new BigUint64Array([address(bytes), BigInt(bytes.length), 0n]);
  return Buffer.from(struct.buffer);
}

function positionOf(struct: Buffer): number {
  return Number(new BigUint64Array(struct.buffer)[2]);
}
