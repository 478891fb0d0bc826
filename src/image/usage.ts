/** What the store uses of the disk, and how much of that `prune` could give back. */

import fs from 'node:fs';
import type { DiffID } from '../oci/digest.ts';
import { blobFiles, layerFiles, type StoredFile, treeSize } from '../store/gc.ts';
import type { Store } from '../store/store.ts';
import { staleTemp } from '../store/temp.ts';
import { reachable } from './reachable.ts';

export interface UsageRow {
  readonly type:
    | 'images'
    | 'build cache'
    | 'layer forms'
    | 'cache mounts'
    | 'unused content'
    | 'temporary files';
  readonly count: number;
  /** Bytes. */
  readonly size: number;
  /** Of these, what no named image needs; of temporary files, what dead processes left. */
  readonly reclaimable: number;
}

/** Content that images share counts once; what an image and the cache share counts as the image's. */
export function diskUsage(store: Store, cachedLayers: Iterable<DiffID>): readonly UsageRow[] {
  const images = store.images();
  const cached = [...cachedLayers];
  const named = reachable(
    store,
    images.flatMap(({ name, descriptor }) => (name === undefined ? [] : [descriptor])),
  );
  const known = reachable(
    store,
    images.map(({ descriptor }) => descriptor),
  );
  const all = reachable(store, [], cached);
  const blobs = blobFiles(store);
  const ofImages = blobs.filter(({ digest }) => known.blobs.has(digest));
  const ofCache = blobs.filter(({ digest }) => !known.blobs.has(digest) && all.blobs.has(digest));
  const unused = blobs.filter(({ digest }) => !known.blobs.has(digest) && !all.blobs.has(digest));
  const forms = layerFiles(store);
  const needless = forms.filter(({ digest }) => !named.layers.has(digest as DiffID));
  const digests = new Set(images.map(({ descriptor }) => descriptor.digest));
  const nameless = ofImages.filter(({ digest }) => !named.blobs.has(digest));
  return [
    { type: 'images', count: digests.size, size: sum(ofImages), reclaimable: sum(nameless) },
    {
      type: 'build cache',
      count: new Set(cached).size,
      size: sum(ofCache),
      reclaimable: sum(ofCache),
    },
    { type: 'layer forms', count: forms.length, size: sum(forms), reclaimable: sum(needless) },
    directoryRow('cache mounts', store.path('cache-mounts'), (files) => files),
    { type: 'unused content', count: unused.length, size: sum(unused), reclaimable: sum(unused) },
    directoryRow('temporary files', store.path('tmp'), () => staleTemp(store.path('tmp'))),
  ];
}

function directoryRow(
  type: UsageRow['type'],
  directory: string,
  reclaimable: (files: readonly string[]) => readonly string[],
): UsageRow {
  const names = fs.existsSync(directory) ? fs.readdirSync(directory) : [];
  const files = names.map((name) => `${directory}/${name}`);
  const size = (some: readonly string[]) => some.reduce((total, file) => total + treeSize(file), 0);
  return { type, count: files.length, size: size(files), reclaimable: size(reclaimable(files)) };
}

function sum(files: readonly StoredFile[]): number {
  return files.reduce((total, { size }) => total + size, 0);
}
