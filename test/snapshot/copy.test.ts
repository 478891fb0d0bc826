import { applyLayer } from '../../src/layer/apply.ts';
import type { Layer } from '../../src/layer/layer.ts';
import { stackTree } from '../../src/layer/stack.ts';
import { createCopySnapshotter } from '../../src/snapshot/copy.ts';
import { walkTree } from '../../src/tree/select.ts';
import { snapshotterContract } from '../contract/snapshotter.ts';
import { enterPrivateMounts } from '../layer/private-mounts.ts';

enterPrivateMounts();

snapshotterContract('copying', (places) => {
  const layers = new Map<string, Layer>();
  const fill = (root: string, lowers: readonly string[]): void => {
    const tree = stackTree(lowers.map((name) => layers.get(name)!));
    const entries = new Map(walkTree(tree).map((entry) => [entry.path, entry]));
    applyLayer({ entries }, root, { rootless: false });
  };
  return {
    snapshots: createCopySnapshotter({ ...places, fill }),
    lowerOf: (_, layer) => {
      layers.set(layer.diffID, layer);
      return layer.diffID;
    },
  };
});
