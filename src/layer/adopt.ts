/** Layers in a store: finding one, and taking in one that was just written. */
import { mkdirSync, renameSync } from 'node:fs';
import { diskError } from '../host/disk-error.ts';
import { type DiffID, hexOf } from '../oci/digest.ts';
import type { Store } from '../store/store.ts';
import type { Layer, WrittenLayer } from './layer.ts';

/** The layer, if its tar is in the store. Its index need not be: it is built when it is read. */
export function layerAt(store: Store, diffID: DiffID): Layer | undefined {
  const size = store.blobSize(diffID);
  if (size === undefined) return undefined;
  return { diffID, size, tar: store.blobPath(diffID), index: indexPath(store, diffID) };
}

/**
 * Renames the files of a layer into the store, index first, so that who sees the tar finds the index. Idempotent: where
 * the layer is already, nothing changes.
 */
export function adoptLayer(store: Store, written: WrittenLayer): Layer {
  const { diffID, size } = written;
  const layer = { diffID, size, tar: store.blobPath(diffID), index: indexPath(store, diffID) };
  try {
    mkdirSync(store.path('layers'), { recursive: true });
    renameSync(written.index, layer.index);
  } catch (error) {
    throw diskError(error, `store layer ${diffID}`);
  }
  store.adoptBlob(written.tar, diffID);
  return layer;
}

function indexPath(store: Store, diffID: DiffID): string {
  return `${store.home}/layers/${hexOf(diffID)}.index`;
}
