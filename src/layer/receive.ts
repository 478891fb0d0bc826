/**
 * Takes in a layer that came as a blob: inflates, hashes, indexes and stores it in one pass. What arrives must be what
 * was promised at both ends: the blob's digest and size, and the diffID of the tar inside. zlib works in its own threads,
 * so inflating, hashing and writing overlap although this code is one loop. For files there is receive-file.ts, too.
 */
import { createReadStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TsbuildError } from '../errors.ts';
import { diskError } from '../host/disk-error.ts';
import { type Expected, verifyStream } from '../host/hash-stream.ts';
import { type DiffID, digestFromHex } from '../oci/digest.ts';
import type { Compression } from '../oci/media-types.ts';
import { inflateError, inflateStream } from '../tar/inflate.ts';
import { feedTar } from '../tar/scan.ts';
import { encodeIndex } from './index-encode.ts';
import type { WrittenLayer } from './layer.ts';
import { collectEntries } from './scan.ts';
import { openTarSink } from './tar-sink.ts';

/** Plain data, but for the stream. */
export interface ReceiveRequest {
  /** The blob: a file of this host, or its bytes as they come. */
  readonly source: string | Readable;
  readonly compression: Compression;
  /** Of the blob. Leave it out only for what was verified before. */
  readonly expected?: Expected | undefined;
  /** What the image's configuration says; a blob with another tar is refused. */
  readonly diffID?: DiffID | undefined;
  /** To find out the tar's digest is left to the caller, see {@link checkDiffID}: the result says `diffID`. */
  readonly unhashed?: boolean | undefined;
  /** A private directory, which gets `layer.tar` and `layer.index`. After an error it is the caller's to remove. */
  readonly directory: string;
  /** Refuse a tar that is larger. A gzip can be a thousandth of what is in it, so without this only the disk is a limit. */
  readonly maxBytes?: number | undefined;
}

export interface ReceiveOptions {
  readonly signal?: AbortSignal;
  /** Bytes of the tar that can be read by now. */
  readonly onProgress?: (current: number) => void;
}

const READ_BYTES = 256 * 1024;

/** @throws TsbuildError `ARCHIVE`, `DIGEST_MISMATCH`, `DISK_FULL`, `STORE`, `UNSUPPORTED_HOST` */
export async function receiveLayer(
  request: ReceiveRequest,
  options: ReceiveOptions = {},
): Promise<WrittenLayer> {
  const { source, expected } = request;
  const what = operationOf(request);
  const receiver = createReceiver(request, what, options.onProgress);
  const blob =
    typeof source === 'string' ? createReadStream(source, { highWaterMark: READ_BYTES }) : source;
  const verified = expected ? [verifyStream(expected)] : [];
  const stages = [blob, ...verified, inflateStream(request.compression), writable(receiver.write)];
  try {
    await pipeline(stages, options.signal ? { signal: options.signal } : {});
    return receiver.finish();
  } catch (error) {
    options.signal?.throwIfAborted();
    throw inflateError(error, what);
  } finally {
    receiver.close();
  }
}

/** Where the tar of a layer lies, from the first call of `onProgress` on at the latest. */
export function receivedTar(directory: string): string {
  return join(directory, 'layer.tar');
}

/** @throws TsbuildError `DIGEST_MISMATCH` if the tar is not the one that was promised */
export function checkDiffID(request: Pick<ReceiveRequest, 'diffID'>, found: DiffID): void {
  if (request.diffID === undefined || request.diffID === found) return;
  const message = `${operationOf(request)}: its tar has the digest ${found}`;
  throw new TsbuildError('DIGEST_MISMATCH', message);
}

/** For messages. */
export function operationOf({ diffID }: Pick<ReceiveRequest, 'diffID'>): string {
  return diffID === undefined ? 'receive layer' : `receive layer ${diffID}`;
}

/** Each chunk has a turn of its own: so zlib's thread is given its next input before this one is busy with the output. */
function writable(write: (chunk: Buffer) => void): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      setImmediate(() => {
        try {
          write(chunk);
        } catch (error) {
          done(error as Error);
          return;
        }
        done();
      });
    },
  });
}

/** The bytes of a layer's tar on their way into its files. */
export interface Receiver {
  /** The chunk is lent. */
  write(chunk: Buffer): void;
  /** Call at the end of the tar. */
  finish(): WrittenLayer;
  /** Closes the tar's file; idempotent. */
  close(): void;
}

export function createReceiver(
  request: Omit<ReceiveRequest, 'source'>,
  what: string,
  onProgress?: (current: number) => void,
): Receiver {
  const { directory, unhashed } = request;
  const tar = receivedTar(directory);
  const index = join(directory, 'layer.index');
  const sink = openTarSink(tar, { unhashed, onWritten: onProgress });
  const collected = collectEntries(tar);
  const feed = feedTar(collected.add);
  const write = (chunk: Buffer) => {
    if (sink.position() + chunk.length > (request.maxBytes ?? Number.POSITIVE_INFINITY)) {
      throw new TsbuildError(
        'ARCHIVE',
        `${what}: its tar is larger than ${request.maxBytes} bytes`,
      );
    }
    sink.put(chunk);
    feed.write(chunk);
  };
  const finish = () => {
    feed.end();
    const size = sink.position();
    const found = sink.finish();
    const diffID = unhashed ? request.diffID! : digestFromHex<DiffID>(found);
    checkDiffID(request, diffID);
    try {
      writeFileSync(index, encodeIndex(collected.entries(), size), { flag: 'wx' });
    } catch (error) {
      throw diskError(error, `write layer index ${index}`);
    }
    return { diffID, size, tar, index };
  };
  return { write, finish, close: () => sink.close() };
}
