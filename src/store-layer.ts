/** The layers of COPY, ADD and WORKDIR: written and taken into the store, unless what would be written is there. */
import { rmSync } from 'node:fs';
import { readAgain } from './context/hash-files.ts';
import type { Workers } from './host/workers.ts';
import { adoptLayer } from './layer/adopt.ts';
import { wouldGive } from './layer/compare-inputs.ts';
import { columnsIfThere } from './layer/index-file.ts';
import type { Layer, LayerInput } from './layer/layer.ts';
import { writeLayer } from './layer/write.ts';
import { writeLayerParts } from './layer/write-parts.ts';
import type { MadeBefore } from './scheduler/transfer.ts';
import type { Store } from './store/store.ts';
import type { FileNode } from './tree/file-tree.ts';

export interface StoreLayerOptions {
  readonly store: Store;
  /** Asked for where there is much to do. */
  readonly workers: () => Promise<Workers>;
  readonly signal: AbortSignal;
  /** Seconds since 1970; later times become this. */
  readonly sourceDateEpoch?: number | undefined;
  readonly before?: MadeBefore | undefined;
}

/** Fewer and smaller files than these are written before a worker has started. */
export const SMALL_FILES = 500;
const SMALL_BYTES = 4 * 1024 * 1024;

/** @throws TsbuildError what `writeLayer` does */
export async function storeLayer(
  entries: readonly LayerInput[],
  options: StoreLayerOptions,
): Promise<Layer> {
  const { store, signal, sourceDateEpoch, before } = options;
  if (before !== undefined && (await comesOutAgain(before, entries, options))) return before.layer;
  const directory = store.tempDir();
  try {
    if (isSmall(entries))
      return adoptLayer(store, writeLayer(entries, { directory, sourceDateEpoch }));
    const workers = await options.workers();
    const parts = { directory, sourceDateEpoch, workers, signal };
    return adoptLayer(store, await writeLayerParts(entries, parts));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function comesOutAgain(
  { layer, mustRead }: MadeBefore,
  entries: readonly LayerInput[],
  { workers, signal, sourceDateEpoch }: StoreLayerOptions,
): Promise<boolean> {
  const columns = columnsIfThere(layer);
  if (columns === undefined || !wouldGive(columns, entries, { sourceDateEpoch })) return false;
  return !mustRead || readAgain(nodesOf(entries), { workers: await workers(), signal });
}

function nodesOf(entries: readonly LayerInput[]): FileNode[] {
  return entries.flatMap((entry) => ('node' in entry ? [entry.node] : []));
}

function isSmall(entries: readonly LayerInput[]): boolean {
  if (entries.length > SMALL_FILES) return false;
  const bytes = nodesOf(entries).reduce((sum, { size }) => sum + size, 0);
  return bytes <= SMALL_BYTES;
}
