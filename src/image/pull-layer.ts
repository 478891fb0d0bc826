/** One layer of a pull: fetched, verified at both ends, unpacked to its tar and indexed in one pass, its blob kept as it came. */
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { isTsbuildError, TsbuildError } from '../errors.ts';
import type { EventSink } from '../events.ts';
import type { Workers } from '../host/workers.ts';
import { adoptLayer, layerAt } from '../layer/adopt.ts';
import { receiveLayer } from '../layer/receive.ts';
import type { Fetcher } from '../oci/content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { DiffID } from '../oci/digest.ts';
import { type Compression, layerCompression } from '../oci/media-types.ts';
import type { Store } from '../store/store.ts';
import { inTempDir } from '../store/temp.ts';
import { noteLayerBlob, readLayerBlobs } from './layer-blobs.ts';
import { receiveDownload } from './receive-download.ts';
import { startTransfer } from './transfer-progress.ts';

export interface LayerPull {
  readonly store: Store;
  readonly source: Fetcher;
  /** For messages. */
  readonly title: string;
  /** `host/path`, if the source is a registry's. */
  readonly repository?: string;
  readonly layer: Descriptor;
  /** What the image's configuration says that its tar is. */
  readonly diffID: DiffID;
  /** The largest one of its image, which the others will have to wait for. */
  readonly isLargest?: boolean;
  readonly step: string;
  readonly emit?: EventSink;
  /** For large layers. Without, this thread does everything. */
  readonly workers?: (() => Promise<Workers>) | undefined;
  readonly signal: AbortSignal;
}

/** Says whether the source had to send the blob. @throws TsbuildError `DIGEST_MISMATCH`, `ARCHIVE`, `MANIFEST`, … */
export async function pullLayer(pull: LayerPull): Promise<boolean> {
  const { store, source, repository, layer, diffID, emit, step, signal } = pull;
  signal.throwIfAborted();
  const compression = layerCompression(layer.mediaType);
  if (compression === undefined) {
    throw new TsbuildError('MANIFEST', `${layer.digest} is no layer: ${layer.mediaType}`);
  }
  const transfer = startTransfer(emit, step, layer, 'download');
  const present = isPresent(store, layer, diffID, compression);
  const here = present || store.blobSize(layer.digest) === layer.size;
  if (!present) {
    // Either verifies digest and size.
    const from = here ? store : source;
    const open = (signal: AbortSignal) => from.fetch(layer, { signal, onProgress: transfer.moved });
    try {
      await receive(pull, compression, !here, open);
    } catch (error) {
      throw here ? error : withPlace(error, pull);
    }
  }
  noteLayerBlob(store, diffID, { ...layer, compression }, repository);
  transfer.done(here ? 'exists' : undefined);
  return !here;
}

/** What is wrong with the content itself was found by those who do not know where it came from. */
function withPlace(error: unknown, { layer, title, repository }: LayerPull): unknown {
  const where = repository ?? title;
  const [registry] = where.split('/', 1);
  if (!isTsbuildError(error) || (registry && error.message.includes(registry))) return error;
  if (error.code !== 'ARCHIVE' && error.code !== 'DIGEST_MISMATCH') return error;
  const message = `pull layer ${layer.digest} from ${where}: ${error.message}`;
  return new TsbuildError(error.code, message, { cause: error });
}

/** Whether both forms are here, and known to be of one layer: a manifest could name any two that are. */
function isPresent(
  store: Store,
  layer: Descriptor,
  diffID: DiffID,
  compression: Compression,
): boolean {
  if (layerAt(store, diffID) === undefined) return false;
  if (compression === 'none') return layer.digest === diffID;
  const seen = readLayerBlobs(store, diffID).some(({ digest }) => digest === layer.digest);
  return seen && store.blobSize(layer.digest) === layer.size;
}

async function receive(
  { store, layer, diffID, isLargest: hashHere, workers, signal }: LayerPull,
  compression: Compression,
  keep: boolean,
  open: (signal: AbortSignal) => Promise<Readable>,
): Promise<void> {
  await inTempDir(store, async (directory) => {
    const request = { compression, diffID, directory };
    // An uncompressed blob is the tar.
    if (!keep || compression === 'none') {
      const source = await open(signal);
      adoptLayer(store, await receiveLayer({ ...request, source }, { signal }));
      return;
    }
    const file = join(directory, 'blob');
    const { size } = layer;
    const written = await receiveDownload({
      ...{ open, size, file, request, hashHere, workers, signal },
    });
    store.adoptBlob(file, layer.digest);
    adoptLayer(store, written);
  });
}
