/** The files of images, for exporters that write files. */
import { readImage } from '../image/image.ts';
import type { SavedImage } from '../image/save.ts';
import { listManifests } from '../image/select.ts';
import { stackTree } from '../layer/stack.ts';
import type { Store } from '../store/store.ts';
import type { FileTree } from '../tree/file-tree.ts';

export interface PlatformTree {
  /** The directory that it goes into: '' for a single one, else the platform's, as BuildKit calls them. */
  readonly prefix: string;
  readonly tree: FileTree;
}

export function platformTrees(
  store: Store,
  images: readonly SavedImage[],
  isSplit?: boolean,
): readonly PlatformTree[] {
  const manifests = images.flatMap(({ descriptor }) => listManifests(store, descriptor));
  return manifests.map((manifest) => {
    const { config, layers } = readImage(store, manifest);
    const names = [config.os, config.architecture, config.variant].filter((name) => name);
    return {
      prefix: (isSplit ?? manifests.length > 1) ? names.join('_') : '',
      tree: stackTree(layers),
    };
  });
}
