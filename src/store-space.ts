/** What takes up the store's space, and freeing it. */
import { rmSync } from 'node:fs';
import { openRecords } from './cache/records.ts';
import { errnoOf } from './errors.ts';
import { findExecutable, runCommand } from './host/process.ts';
import { prune } from './image/prune.ts';
import { reachable } from './image/reachable.ts';
import type { DiffID, Digest } from './oci/digest.ts';
import { blobFiles, type LiveContent, layerFiles, treeSize } from './store/gc.ts';
import { openStore, type Store, type StoredImage } from './store/store.ts';

export interface PruneResult {
  /** Bytes. */
  readonly reclaimed: number;
  /** Paths that could not be removed. */
  readonly left: readonly string[];
}

export interface DiskUsage {
  readonly type: 'images' | 'build cache' | 'unused';
  /** Images, cache records, or files. */
  readonly count: number;
  /** Bytes. What images share with the cache counts for the images. */
  readonly size: number;
  /** Bytes that `prune` would free; of the build cache, `prune` with `all`. */
  readonly reclaimable: number;
}

export async function pruneStore(
  home: string,
  searchPath: string | undefined,
  all: boolean,
): Promise<PruneResult> {
  const store = openStore(home);
  const { reclaimed, left } = await prune(store, {
    cachedLayers() {
      if (!all) return cachedLayers(store);
      rmSync(store.path('cache'), { recursive: true, force: true });
      return [];
    },
    ...(process.getuid?.() === 0
      ? {}
      : { removeTree: (directory) => removeMapped(directory, searchPath) }),
  });
  return { reclaimed, left: left.map(({ path }) => path) };
}

export function measureStore(home: string): readonly DiskUsage[] {
  const store = openStore(home);
  const images = store.images();
  const named = images.filter(({ name }) => name !== undefined);
  const rootsOf = (some: readonly StoredImage[]) => some.map(({ descriptor }) => descriptor);
  const inImages = reachable(store, rootsOf(images));
  const inNamed = reachable(store, rootsOf(named));
  const inCache = reachable(store, [], cachedLayers(store));
  const sizes = { kept: 0, nameless: 0, cache: treeSize(store.path('cache')), unused: 0 };
  let unusedFiles = 0;
  const files = [...blobFiles(store), ...layerFiles(store)];
  for (const { digest, size } of files) {
    const isImages = has(inImages, digest);
    // What a nameless image shares with the cache stays when the image goes.
    if (has(inNamed, digest) || (isImages && has(inCache, digest))) sizes.kept += size;
    else if (isImages) sizes.nameless += size;
    else if (has(inCache, digest)) sizes.cache += size;
    else {
      sizes.unused += size;
      unusedFiles += 1;
    }
  }
  const { kept, nameless, cache, unused } = sizes;
  const count = new Set(rootsOf(images).map(({ digest }) => digest)).size;
  const records = [...openRecords(store).all()].length;
  return [
    { type: 'images', count, size: kept + nameless, reclaimable: nameless },
    { type: 'build cache', count: records, size: cache, reclaimable: cache },
    { type: 'unused', count: unusedFiles, size: unused, reclaimable: unused },
  ];
}

function* cachedLayers(store: Store): Generator<DiffID> {
  for (const { layer } of openRecords(store).all()) if (layer !== null) yield layer;
}

function has(content: LiveContent, digest: Digest): boolean {
  return content.blobs.has(digest) || content.layers.has(digest as DiffID);
}

/** Files of a rootless container belong to subordinate ids: only in a user namespace with all of ours can they be removed. */
async function removeMapped(directory: string, searchPath: string | undefined): Promise<void> {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch (error) {
    const unshare = findExecutable('unshare', searchPath ?? '');
    if (unshare === undefined || !['EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) throw error;
    const args = ['--user', '--map-root-user', '--map-auto', '--', 'rm', '-rf', '--', directory];
    await runCommand(unshare, args, { env: { PATH: searchPath ?? '' } });
  }
}
