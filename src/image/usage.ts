/** What the store uses of the disk, and how much of that `prune` could give back. */
import fs from 'node:fs';
import type { Descriptor } from '../oci/descriptor.ts';
import type { DiffID, Digest } from '../oci/digest.ts';
import { blobFiles, type LiveContent, layerFiles, treeSize } from '../store/gc.ts';
import type { Store } from '../store/store.ts';
import { staleTemp } from '../store/temp.ts';
import { reachable } from './reachable.ts';

export interface UsageRow {
  readonly type:
    | 'images'
    | 'build cache'
    | 'cache mounts'
    | 'downloads'
    | 'known contexts'
    | 'known of the host'
    | 'compiled code'
    | 'unused content'
    | 'temporary files';
  /** Images; cached layers; directories; files. */
  readonly count: number;
  /** Bytes. A layer counts with its index and mountable forms. */
  readonly size: number;
  /** Of these, what `prune --all` would free. */
  readonly reclaimable: number;
}

/** Content that images share counts once; what an image and the cache share counts as the image's. */
export function diskUsage(store: Store, cachedLayers: Iterable<DiffID>): readonly UsageRow[] {
  const images = store.images();
  const named = images.filter(({ name }) => name !== undefined);
  const cached = new Set(cachedLayers);
  const needs: Record<Kind, LiveContent> = {
    named: reachable(store, named.map(descriptorOf)),
    nameless: reachable(store, images.map(descriptorOf)),
    cached: reachable(store, [], cached),
  };
  const sizes = { named: 0, nameless: 0, cached: treeSize(store.path('cache')), unused: 0 };
  let unusedFiles = 0;
  for (const { digest, size } of [...blobFiles(store), ...layerFiles(store)]) {
    const kind = KINDS.find((each) => holds(needs[each], digest)) ?? 'unused';
    sizes[kind] += size;
    if (kind === 'unused') unusedFiles += 1;
  }
  const whole = (size: number) => ({ size, reclaimable: size });
  return [
    {
      type: 'images',
      count: new Set(images.map(({ descriptor }) => descriptor.digest)).size,
      size: sizes.named + sizes.nameless,
      reclaimable: sizes.nameless,
    },
    { type: 'build cache', count: cached.size, ...whole(sizes.cached) },
    directoryRow('cache mounts', store.path('cache-mounts')),
    directoryRow('downloads', store.path('downloads')),
    directoryRow('known contexts', store.path('contexts')),
    directoryRow('known of the host', store.path('host'), () => []),
    directoryRow('compiled code', store.path('compiled')),
    { type: 'unused content', count: unusedFiles, ...whole(sizes.unused) },
    directoryRow('temporary files', store.path('tmp'), staleTemp),
  ];
}

/** Who needs content, the strongest claim first. */
const KINDS = ['named', 'nameless', 'cached'] as const;
type Kind = (typeof KINDS)[number];

function descriptorOf({ descriptor }: { readonly descriptor: Descriptor }): Descriptor {
  return descriptor;
}

function holds({ blobs, layers }: LiveContent, digest: Digest): boolean {
  return blobs.has(digest) || layers.has(digest as DiffID);
}

function directoryRow(
  type: UsageRow['type'],
  directory: string,
  reclaimable: (directory: string) => readonly string[] = listFiles,
): UsageRow {
  const files = listFiles(directory);
  const size = (some: readonly string[]) => some.reduce((total, file) => total + treeSize(file), 0);
  return {
    type,
    count: files.length,
    size: size(files),
    reclaimable: size(reclaimable(directory)),
  };
}

/** Without the locks that lie beside directories. */
function listFiles(directory: string): readonly string[] {
  if (!fs.existsSync(directory)) return [];
  const names = fs.readdirSync(directory).filter((name) => !name.endsWith('.lock'));
  return names.map((name) => `${directory}/${name}`);
}
