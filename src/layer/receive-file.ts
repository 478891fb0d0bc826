/**
 * Takes in a layer that is in a file of this host, as a member of an archive or whole, or that is on its way into one:
 * receive.ts for worker threads. A plain tar, or one in gzip, is read in one loop without streams; everything else goes
 * through them.
 */
import { rmSync, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import { createHasher } from '../host/hash-stream.ts';
import { chunksOf, openRange, type RangeReader } from '../host/range-reader.ts';
import type { Compression } from '../oci/media-types.ts';
import { type GunzipRange, gunzipRange } from '../tar/gunzip-range.ts';
import type { FileRange } from '../tree/file-tree.ts';
import type { WrittenLayer } from './layer.ts';
import {
  createReceiver,
  operationOf,
  type ReceiveOptions,
  type ReceiveRequest,
  receivedTar,
  receiveLayer,
} from './receive.ts';

/** Plain data, for a worker. */
export interface FileRequest extends Omit<ReceiveRequest, 'source' | 'unhashed'> {
  readonly source: string | FileRange;
  /** Of a file that another thread still writes: its {@link Growth}. */
  readonly growth?: SharedArrayBuffer;
}

export const RECEIVE_TASK = 'layer.receive';
export const RECEIVE_UNHASHED_TASK = 'layer.receive-unhashed';

const READ_BYTES = 256 * 1024;

/** @throws TsbuildError what {@link receiveLayer} throws, and for the same blobs */
export async function receiveFile(
  request: FileRequest,
  options: ReceiveOptions = {},
): Promise<WrittenLayer> {
  const { source } = request;
  const range = rangeOf(source);
  if (range === undefined) return receiveLayer({ ...request, source: source as string }, options);
  using reader = openRange(range, request.growth);
  const read = READERS[request.compression];
  const written = read && receiveAtOnce(read, reader, request, options);
  if (written !== undefined) return written;
  if (read !== undefined) rmSync(receivedTar(request.directory));
  return await receiveLayer({ ...request, source: streamOf(reader) }, options);
}

/**
 * The same, but for {@link ReceiveRequest.unhashed}. `undefined` if it has to be begun anew, by {@link receiveFile} and without
 * the tar that there is: who follows that must know.
 */
export async function receiveUnhashed(
  request: FileRequest & { readonly source: FileRange },
  options: ReceiveOptions = {},
): Promise<WrittenLayer | undefined> {
  using reader = openRange(request.source, request.growth);
  const unhashed = { ...request, unhashed: true };
  const read = READERS[request.compression];
  if (read !== undefined) return receiveAtOnce(read, reader, unhashed, options);
  return await receiveLayer({ ...unhashed, source: streamOf(reader) }, options);
}

/** A pipe has no size: it is a stream. */
function rangeOf(source: string | FileRange): FileRange | undefined {
  if (typeof source !== 'string') return source;
  const stat = statSync(source, { throwIfNoEntry: false });
  return stat?.isFile() ? { file: source, offset: 0, size: stat.size } : undefined;
}

/** `undefined` if this turned out to be for streams; then there is a tar with a part of it. */
function receiveAtOnce(
  read: GunzipRange,
  reader: RangeReader,
  request: Omit<ReceiveRequest, 'source'>,
  options: ReceiveOptions,
): WrittenLayer | undefined {
  const what = operationOf(request);
  const hasher = request.expected && createHasher(request.expected);
  const receiver = createReceiver(request, what, options.onProgress);
  try {
    if (read(reader, { onInput: hasher?.update, write: receiver.write }, what)) {
      hasher?.finish();
      return receiver.finish();
    }
  } finally {
    receiver.close();
  }
  return undefined;
}

const readPlain: GunzipRange = (reader, { onInput, write }) => {
  for (const bytes of chunksOf(reader, READ_BYTES)) {
    onInput?.(bytes);
    write(bytes);
  }
  return true;
};

const READERS: Readonly<Record<Compression, GunzipRange | undefined>> = {
  none: readPlain,
  gzip: gunzipRange,
  zstd: undefined,
};

/** Waits for a file that grows by standing still: there is nothing else to be done. */
function streamOf(reader: RangeReader): Readable {
  return Readable.from(ownChunks(reader), { objectMode: false, highWaterMark: READ_BYTES });
}

function* ownChunks(reader: RangeReader): Generator<Buffer> {
  for (const bytes of chunksOf(reader, READ_BYTES)) yield Buffer.from(bytes);
}
