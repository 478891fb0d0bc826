/** Frees the store's space, and says what takes it up: image/prune.ts and image/usage.ts, told what the cache needs. */
import fs from 'node:fs';
import { forgetRecords } from './cache/forget.ts';
import { openRecords } from './cache/records.ts';
import type { Environment } from './environment.ts';
import { errnoOf } from './errors.ts';
import { prune } from './image/prune.ts';
import { reachable } from './image/reachable.ts';
import { diskUsage } from './image/usage.ts';
import type { DiffID } from './oci/digest.ts';
import type { DiskUsage, PruneOptions, PruneResult } from './prune.ts';
import { blobFiles, layerFiles } from './store/gc.ts';
import type { Store } from './store/store.ts';

const DAY = 24 * 3600 * 1000;
/** Of a cache record, and of a download, that no build has asked for; and of compiled code, since its last use (cli/kept-code.ts). */
const KEEP_DAYS = 7;
/** Of what is known about the files of a context: it is small, and costly to learn again. */
const KEEP_CONTEXT_DAYS = 30;

export async function pruneStore(
  environment: Environment,
  options: PruneOptions,
): Promise<PruneResult> {
  const { store } = environment;
  const { olderThan } = options;
  const { reclaimed, left } = await prune(store, {
    ...(olderThan === undefined ? {} : { before: Date.now() - olderThan }),
    cachedLayers: () => keptLayers(store, options),
    needless: needlessFiles(store, options),
    removeTree: (directory) => removeTree(environment, directory),
  });
  return { reclaimed, left: left.map(({ path }) => path) };
}

export function measureStore(store: Store): readonly DiskUsage[] {
  const layers = [...openRecords(store).all()].flatMap(({ layer }) => layer ?? []);
  return diskUsage(store, layers);
}

function keptLayers(store: Store, { all, olderThan, keepBytes }: PruneOptions): Set<DiffID> {
  const age = olderThan ?? (all ? undefined : KEEP_DAYS * DAY);
  return forgetRecords(openRecords(store), {
    unusedSince: age === undefined ? Number.POSITIVE_INFINITY : Date.now() - age,
    sizeOf: layerSizes(store),
    ...(keepBytes === undefined ? {} : { keepBytes }),
  });
}

/** Bytes of a layer in all its forms. One that an image needs costs the cache nothing. */
function layerSizes(store: Store): (layer: DiffID) => number | undefined {
  const { layers } = reachable(
    store,
    store.images().map(({ descriptor }) => descriptor),
  );
  const sizes = new Map<string, number>();
  for (const { digest, size } of [...blobFiles(store), ...layerFiles(store)]) {
    sizes.set(digest, (sizes.get(digest) ?? 0) + size);
  }
  return (layer) => {
    if (store.blobSize(layer) === undefined) return undefined;
    return layers.has(layer) ? 0 : sizes.get(layer);
  };
}

/** Read when the store is held: until then, builds may be making what looks abandoned. */
function* needlessFiles(store: Store, { all, olderThan }: PruneOptions): Generator<string> {
  const everything = all === true && olderThan === undefined;
  for (const file of listFiles(store.path('cache-mounts'))) {
    // A cache mount that was being made when its executor was killed is a `.new` one.
    if (everything || file.endsWith('.new')) yield file;
  }
  for (const [name, days] of Object.entries({
    compiled: KEEP_DAYS,
    contexts: KEEP_CONTEXT_DAYS,
    downloads: KEEP_DAYS,
  })) {
    for (const file of listFiles(store.path(name))) {
      const stat = fs.lstatSync(file, { throwIfNoEntry: false });
      const isOld = stat !== undefined && stat.mtimeMs < Date.now() - days * DAY;
      if (everything || isOld) yield file;
    }
  }
}

function listFiles(directory: string): string[] {
  return fs.existsSync(directory)
    ? fs.readdirSync(directory).map((name) => `${directory}/${name}`)
    : [];
}

/** Without root, what containers wrote belongs to ids that only the executor can act for. */
async function removeTree(environment: Environment, directory: string): Promise<void> {
  try {
    fs.rmSync(directory, { recursive: true, force: true });
  } catch (error) {
    if (!['EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) throw error;
    const executor = await environment.executor();
    await executor.remove([directory]);
  }
}
