/**
 * A layer's blob on its way: this thread writes what comes into a file, and a worker thread follows it there, inflates,
 * hashes, indexes and stores. The file is what they share, and it holds as much as one is ahead of the other. Inflating takes
 * longest, so of one layer this thread hashes what the worker writes, following it in turn.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, rmSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { TsbuildError } from '../errors.ts';
import { diskError } from '../host/disk-error.ts';
import { createGrowth } from '../host/range-reader.ts';
import { readSparse } from '../host/sparse-file.ts';
import type { Workers } from '../host/workers.ts';
import { writeFully } from '../host/write-fully.ts';
import type { WrittenLayer } from '../layer/layer.ts';
import { checkDiffID, receivedTar } from '../layer/receive.ts';
import {
  type FileRequest,
  RECEIVE_TASK,
  RECEIVE_UNHASHED_TASK,
  receiveFile,
} from '../layer/receive-file.ts';
import { type DiffID, digestFromHex } from '../oci/digest.ts';
import { together } from './together.ts';

export interface Download {
  /** Gives the blob's bytes, and fails unless they are what was promised. */
  readonly open: (signal: AbortSignal) => Promise<Readable>;
  readonly size: number;
  /** The blob's; must not exist. */
  readonly file: string;
  readonly request: DownloadRequest;
  /** For one layer at a time: this thread hashes its tar. */
  readonly hashHere?: boolean | undefined;
  /** Without, this thread does one after the other. */
  readonly workers?: (() => Promise<Workers>) | undefined;
  readonly signal: AbortSignal;
}

type DownloadRequest = Omit<FileRequest, 'source' | 'expected' | 'growth'>;

/** Smaller blobs are here before a thread has started. */
const SMALL_BYTES = 1024 * 1024;

/** After an error, what has been written is the caller's to remove. @throws what `open` and {@link receiveFile} do */
export async function receiveDownload(download: Download): Promise<WrittenLayer> {
  const { file, size, open, request, hashHere, workers, signal } = download;
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
    const input: FileRequest = { ...request, source, growth: growth.shared };
    const run: Run = (task, onProgress) =>
      pool.run(task, input, {
        signal: inner,
        ...(onProgress && { onProgress: (size: unknown) => onProgress(size as number) }),
      }) as Promise<WrittenLayer | undefined>;
    // First the file, then its reader.
    const writing = opened.then((blob) => writeBlob(blob, file, inner, growth.grown));
    const follow = () => (hashHere ? hashing(request, run, inner) : run(RECEIVE_TASK));
    return [writing, opened.then(follow)] as Promise<WrittenLayer | undefined>[];
  });
  return written!;
}

type Run = (task: string, onProgress?: (size: number) => void) => Promise<WrittenLayer | undefined>;

/** Has somebody else receive it, and hashes here what that writes. */
async function hashing(
  request: DownloadRequest,
  run: Run,
  signal: AbortSignal,
): Promise<WrittenLayer | undefined> {
  const file = receivedTar(request.directory);
  const follower = followHash(file, signal);
  try {
    const written = await run(RECEIVE_UNHASHED_TASK, follower.grown);
    if (written !== undefined) {
      follower.grown(written.size);
      checkDiffID(request, await follower.digest());
      return written;
    }
  } finally {
    follower.close();
  }
  rmSync(file);
  return await run(RECEIVE_TASK);
}

const BUFFER_BYTES = 1024 * 1024;

/**
 * Hashes a file that is being written, as far as it is said to be there. A tar that is zeros for the most part grows faster
 * than it is hashed, so there are turns for others in between, and holes are not read.
 */
function followHash(file: string, signal: AbortSignal) {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  const closed = new AbortController();
  const turn = { signal: AbortSignal.any([signal, closed.signal]) };
  let fd = -1;
  let at = 0;
  let hashed = Promise.resolve();
  const hashTo = async (size: number): Promise<void> => {
    while (at < size) {
      await setImmediate(undefined, turn);
      if (fd < 0) fd = openSync(file, 'r');
      const part = { start: 0, size: Math.min(BUFFER_BYTES, size - at) };
      if (readSparse(fd, buffer, at, part) < part.size)
        throw new TsbuildError('STORE', `read ${file}: it has been cut short`);
      hash.update(buffer.subarray(0, part.size));
      at += part.size;
    }
  };
  return {
    grown(size: number): void {
      hashed = hashed.then(() => hashTo(size));
      // Told with the digest.
      hashed.catch(() => {});
    },
    /** Of all that there is. */
    async digest(): Promise<DiffID> {
      await hashed;
      return digestFromHex<DiffID>(hash.digest('hex'));
    },
    close(): void {
      closed.abort();
      if (fd >= 0) closeSync(fd);
    },
  };
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
