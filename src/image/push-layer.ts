/** One blob of a push, sent by the cheapest way. */
import type { Descriptor } from '../oci/descriptor.ts';
import type { DiffID } from '../oci/digest.ts';
import { layerCompression } from '../oci/media-types.ts';
import type { Repository } from '../registry/repository.ts';
import { noteLayerBlob, readLayerBlobs } from './layer-blobs.ts';
import type { LayerForming } from './layer-form.ts';
import { startTransfer } from './transfer-progress.ts';

export interface LayerPush extends LayerForming {
  readonly target: Repository;
}

/** Sends a layer's blob, mounting it from where it is known to be in the same registry. */
export async function sendLayer(
  push: LayerPush,
  blob: Descriptor,
  diffID: DiffID | undefined,
): Promise<Descriptor> {
  const { store, target } = push;
  const compression = layerCompression(blob.mediaType);
  if (diffID === undefined || compression === undefined) return send(push, blob);
  const own = `${target.registry}/`;
  const known =
    readLayerBlobs(store, diffID).find(({ digest }) => digest === blob.digest)?.repositories ?? [];
  const mountFrom = known
    .map((name) => (name.startsWith(own) ? name.slice(own.length) : ''))
    .find((name) => name !== '' && name !== target.repository);
  await send(push, blob, mountFrom);
  noteLayerBlob(store, diffID, { ...blob, compression }, own + target.repository);
  return blob;
}

/** Sends a blob of the store. */
export async function send(
  push: LayerPush,
  blob: Descriptor,
  mountFrom?: string,
): Promise<Descriptor> {
  const { store, target, step, emit, signal } = push;
  const common = signal ? { signal } : {};
  const transfer = startTransfer(emit, step, blob);
  const outcome = await target.push(blob, () => store.fetch(blob, common), {
    ...common,
    ...(mountFrom === undefined ? {} : { mountFrom }),
    onProgress: transfer.moved,
  });
  transfer.done(outcome === 'pushed' ? undefined : outcome);
  return blob;
}
