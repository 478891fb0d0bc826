/**
 * A layer's blob on its way: this thread writes what comes into a file, and a worker thread follows it there, inflates,
 * hashes, indexes and stores. The file is what they share, and it holds as much as one is ahead of the other.
 */
import { closeSync, openSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { diskError } from '../host/disk-error.ts';
import { createGrowth } from '../host/range-reader.ts';
import type { Workers } from '../host/workers.ts';
import { writeFully } from '../host/write-fully.ts';
import type { WrittenLayer } from '../layer/layer.ts';
import { type FileRequest, RECEIVE_TASK, receiveFile } from '../layer/receive-file.ts';
import { together } from './together.ts';

export interface Download {
  /** Gives the blob's bytes, and fails unless they are what was promised. */
  readonly open: (signal: AbortSignal) => Promise<Readable>;
  readonly size: number;
  /** The blob's; must not exist. */
  readonly file: string;
  readonly request: Omit<FileRequest, 'source' | 'expected' | 'growth'>;
  /** Without, this thread does one after the other. */
  readonly workers?: (() => Promise<Workers>) | undefined;
  readonly signal: AbortSignal;
}

/** Smaller blobs are here before a thread has started. */
const SMALL_BYTES = 1024 * 1024;

/** After an error, what has been written is the caller's to remove. @throws what `open` and {@link receiveFile} do */
export async function receiveDownload(download: Download): Promise<WrittenLayer> {
  const { file, size, open, request, workers, signal } = download;
  const source = { file, offset: 0, size };
  if (workers === undefined || size <= SMALL_BYTES) {
    await writeBlob(await open(signal), file, signal);
    return receiveFile({ ...request, source }, { signal });
  }
  const pool = await workers();
  pool.warm();
  const growth = createGrowth();
  const [, written] = await together(signal, (inner) => {
    const opened = open(inner);
    const follow = () =>
      pool.run(RECEIVE_TASK, { ...request, source, growth: growth.shared }, { signal: inner });
    // First the file, then its reader.
    const writing = opened.then((blob) => writeBlob(blob, file, inner, growth.grown));
    return [writing, opened.then(follow)];
  });
  return written as WrittenLayer;
}

async function writeBlob(
  blob: Readable,
  file: string,
  signal: AbortSignal,
  onGrown?: (size: number) => void,
): Promise<void> {
  const fd = openSync(file, 'wx', 0o644);
  const write = async (chunks: AsyncIterable<Buffer>) => {
    let size = 0;
    for await (const chunk of chunks) {
      writeFully(fd, chunk);
      size += chunk.length;
      onGrown?.(size);
    }
  };
  try {
    await pipeline(blob, write, { signal });
  } catch (error) {
    throw diskError(error, `write ${file}`);
  } finally {
    closeSync(fd);
  }
}
