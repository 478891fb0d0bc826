/** Layers that are members of an archive, on their way into the store: several at once, the large ones in worker threads. */
import pLimit from 'p-limit';
import { isTsbuildError, TsbuildError } from '../errors.ts';
import { adoptLayer, layerAt } from '../layer/adopt.ts';
import type { Layer, WrittenLayer } from '../layer/layer.ts';
import { receiveLayer } from '../layer/receive.ts';
import { type FileRequest, RECEIVE_TASK } from '../layer/receive-file.ts';
import type { DiffID } from '../oci/digest.ts';
import type { Compression } from '../oci/media-types.ts';
import type { Store } from '../store/store.ts';
import { inTempDir } from '../store/temp.ts';
import { archiveError } from '../tar/entry.ts';
import type { Member } from './archive-reader.ts';
import type { LoadOptions } from './load.ts';
import { together } from './together.ts';

/** Smaller members are received before a thread has started. */
const SMALL_BYTES = 1024 * 1024;
const CONCURRENCY = 4;

/** What `load` gives for each key, in the order of the keys; equal ones are loaded once. */
export async function loadTogether<T>(
  options: LoadOptions,
  keys: readonly string[],
  load: (at: number, options: LoadOptions) => Promise<T>,
): Promise<T[]> {
  const limit = pLimit(CONCURRENCY);
  return together(options.signal, (signal) => {
    const loading = new Map<string, Promise<T>>();
    return keys.map((key, at) => {
      const result = loading.get(key) ?? limit(() => load(at, { ...options, signal }));
      loading.set(key, result);
      return result;
    });
  });
}

/** A layer that the store may have; the tar inside must have the digest that the configuration says. */
export async function loadLayer(
  store: Store,
  member: Member,
  diffID: DiffID,
  options: LoadOptions,
): Promise<Layer> {
  return layerAt(store, diffID) ?? receiveMember(store, member, diffID, options);
}

/** @throws TsbuildError of receiveLayer, naming the member */
export async function receiveMember(
  store: Store,
  member: Member,
  diffID: DiffID,
  options: LoadOptions,
): Promise<Layer> {
  return inTempDir(store, async (directory) => {
    const compression = layerCompressionOf(member);
    const request = { source: member.range, compression, diffID, directory };
    try {
      return adoptLayer(store, await receive(member, request, options));
    } catch (cause) {
      if (!isTsbuildError(cause) || !['ARCHIVE', 'DIGEST_MISMATCH'].includes(cause.code))
        throw cause;
      throw new TsbuildError(
        cause.code,
        `read archive entry ${JSON.stringify(member.name)}: ${cause.message}`,
        { cause },
      );
    }
  });
}

async function receive(
  member: Member,
  request: FileRequest & { readonly diffID: DiffID },
  { workers, signal, onProgress }: LoadOptions,
): Promise<WrittenLayer> {
  const report = onProgress && ((current: number) => onProgress(request.diffID, current));
  const options = { ...(signal ? { signal } : {}) };
  if (workers === undefined || member.size <= SMALL_BYTES) {
    const streamed = { ...request, source: member.open() };
    return receiveLayer(streamed, report ? { ...options, onProgress: report } : options);
  }
  const pool = await workers();
  const received = await pool.run(RECEIVE_TASK, request, {
    ...options,
    ...(report ? { onProgress: (current: unknown) => report(current as number) } : {}),
  });
  return received as WrittenLayer;
}

function layerCompressionOf(member: Member): Compression {
  const compression = member.compression();
  if (compression === 'bzip2' || compression === 'xz') {
    throw archiveError(`it is compressed with ${compression}, which layers cannot be`, member.name);
  }
  return compression;
}
