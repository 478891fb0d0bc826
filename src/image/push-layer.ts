/** One blob of a push, sent by the cheapest way. */
import type { PushOutcome } from '../oci/content.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { DiffID } from '../oci/digest.ts';
import { layerCompression } from '../oci/media-types.ts';
import type { Repository } from '../registry/repository.ts';
import { noteLayerBlob, readLayerBlobs } from './layer-blobs.ts';
import { type LayerForming, type ManifestLayer, makeBlob } from './layer-form.ts';
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
  noteSent(push, blob, diffID);
  return blob;
}

export interface StartedLayer {
  readonly blob: Descriptor;
  /** Whether the blob was sent while it was made; if not, it is still to be sent. */
  readonly sent: Promise<boolean>;
}

/**
 * Makes a layer's blob, and sends it meanwhile: the registry learns its digest at the end. When that does not work, for any
 * reason, the blob is still there to be sent in the usual way.
 */
export async function startLayer(push: LayerPush, layer: ManifestLayer): Promise<StartedLayer> {
  const { target, signal, emit, step } = push;
  const common = signal ? { signal } : {};
  let finish: (blob: Descriptor | undefined) => void = () => {};
  const finished = new Promise<Descriptor | undefined>((resolve) => {
    finish = resolve;
  });
  let sending: Promise<PushOutcome | undefined> = Promise.resolve(undefined);
  try {
    const blob = await makeBlob(push, layer, {
      isElsewhere: (each) => target.exists(each, common),
      onStart(file) {
        sending = target.pushGrowing(file.read, finished, common).catch(() => undefined);
        return { released: sending };
      },
    });
    finish(blob);
    const sent = sending.then((outcome) => {
      if (outcome === undefined) return false;
      startTransfer(emit, step, blob, 'upload').done(outcome === 'exists' ? outcome : undefined);
      noteSent(push, blob, layer.diffID);
      return true;
    });
    return { blob, sent };
  } catch (error) {
    finish(undefined);
    await sending;
    throw error;
  }
}

function noteSent(
  { store, target }: LayerPush,
  blob: Descriptor,
  diffID: DiffID | undefined,
): void {
  const compression = layerCompression(blob.mediaType);
  if (diffID === undefined || compression === undefined) return;
  noteLayerBlob(store, diffID, { ...blob, compression }, `${target.registry}/${target.repository}`);
}

/** Sends a blob of the store. */
export async function send(
  push: LayerPush,
  blob: Descriptor,
  mountFrom?: string,
): Promise<Descriptor> {
  const { store, target, step, emit, signal } = push;
  const common = signal ? { signal } : {};
  const transfer = startTransfer(emit, step, blob, 'upload');
  const outcome = await target.push(blob, () => store.fetch(blob, common), {
    ...common,
    ...(mountFrom === undefined ? {} : { mountFrom }),
    onProgress: transfer.moved,
  });
  transfer.done(outcome === 'pushed' ? undefined : outcome);
  return blob;
}
