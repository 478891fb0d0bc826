/**
 * Takes in a layer that is in a file of this host, as a member of an archive or whole: receive.ts for worker threads. A
 * plain tar, or one in gzip, is read in one loop without streams; everything else goes through them.
 */
import { closeSync, createReadStream, openSync, readSync, rmSync, statSync } from 'node:fs';
import { createHasher } from '../host/hash-stream.ts';
import { gunzipRange } from '../tar/gunzip-range.ts';
import type { FileRange } from '../tree/file-tree.ts';
import type { WrittenLayer } from './layer.ts';
import {
  createReceiver,
  operationOf,
  type ReceiveOptions,
  type ReceiveRequest,
  receiveLayer,
} from './receive.ts';

/** Plain data, for a worker. */
export interface FileRequest extends Omit<ReceiveRequest, 'source'> {
  readonly source: string | FileRange;
}

export const RECEIVE_TASK = 'layer.receive';

const READ_BYTES = 256 * 1024;

/** @throws TsbuildError what {@link receiveLayer} throws, and for the same blobs */
export async function receiveFile(
  request: FileRequest,
  options: ReceiveOptions = {},
): Promise<WrittenLayer> {
  const range = rangeOf(request.source);
  const written = range && receiveAtOnce(range, request, options);
  if (written !== undefined) return written;
  const { source } = request;
  return receiveLayer(
    { ...request, source: typeof source === 'string' ? source : streamOf(source) },
    options,
  );
}

/** A pipe has no size: it is a stream. */
function rangeOf(source: string | FileRange): FileRange | undefined {
  if (typeof source !== 'string') return source;
  const stat = statSync(source, { throwIfNoEntry: false });
  return stat?.isFile() ? { file: source, offset: 0, size: stat.size } : undefined;
}

/** `undefined` if this is for streams; then nothing is left of it. */
function receiveAtOnce(
  range: FileRange,
  request: FileRequest,
  options: ReceiveOptions,
): WrittenLayer | undefined {
  if (request.compression === 'zstd') return undefined;
  const what = operationOf(request);
  const hasher = createHasher(request.expected);
  const receiver = createReceiver(request, what, options.onProgress);
  const sinks = { onInput: hasher.update, write: receiver.write };
  try {
    const isWhole =
      request.compression === 'none' ? readRange(range, sinks) : gunzipRange(range, sinks, what);
    if (isWhole) {
      if (request.expected !== undefined) hasher.finish();
      return receiver.finish();
    }
  } finally {
    receiver.close();
  }
  rmSync(receiver.tar);
  return undefined;
}

function readRange(
  { file, offset, size }: FileRange,
  sinks: { onInput(bytes: Buffer): void; write(bytes: Buffer): void },
): boolean {
  const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, size));
  const fd = openSync(file, 'r');
  try {
    for (let at = 0; at < size; ) {
      const length = readSync(fd, buffer, 0, Math.min(READ_BYTES, size - at), offset + at);
      if (length === 0) break;
      const bytes = buffer.subarray(0, length);
      sinks.onInput(bytes);
      sinks.write(bytes);
      at += length;
    }
    return true;
  } finally {
    closeSync(fd);
  }
}

function streamOf({ file, offset, size }: FileRange) {
  return createReadStream(file, {
    start: offset,
    end: offset + size - 1,
    highWaterMark: READ_BYTES,
  });
}
