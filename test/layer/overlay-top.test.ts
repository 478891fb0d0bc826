/** The kernel as a judge: an overlay of layers in either form, and of what overlayTop asks for, is the stack's tree. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readNames } from '../../src/host/read-names.ts';
import { MNT_DETACH, umount } from '../../src/host/syscalls.ts';
import { applyLayer } from '../../src/layer/apply.ts';
import type { LayerInput } from '../../src/layer/layer.ts';
import { prepareMountable } from '../../src/layer/mountable.ts';
import { overlayTop, stackTree } from '../../src/layer/stack.ts';
import { readDiskNode } from '../../src/snapshot/disk-node.ts';
import { createOverlaySnapshotter } from '../../src/snapshot/overlay.ts';
import { openStore } from '../../src/store/store.ts';
import type { FileTree } from '../../src/tree/file-tree.ts';
import { walkTree } from '../../src/tree/select.ts';
import { makeLayer } from '../helpers/busybox.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { enterPrivateMounts } from './private-mounts.ts';
import { directoryOf, fileOf } from './tree-builder.ts';

enterPrivateMounts();

const PATHS = ['a', 'a/b', 'a/b/c', 'a/b/c/x', 'a/y', 'd', 'd/z'];
const attributes = fc.record({
  mode: fc.constantFrom(0o700, 0o1777, 0o2755),
  uid: fc.nat(3),
  gid: fc.nat(3),
  mtime: fc.constantFrom(-1n, 5_000_000_007n),
  xattrs: fc.constantFrom<Record<string, Uint8Array>>(
    { 'user.n': Buffer.of(0, 255) },
    { 'trusted.n': Buffer.of(1) },
  ),
});
/** Files where paths end in the end of the alphabet; directories listed or not, opaque or not; deletions. */
const anyLayer = fc
  .uniqueArray(
    fc.tuple(
      fc.constantFrom(...PATHS),
      fc.constantFrom('listed', 'listed', 'opaque', 'deleted'),
      attributes,
    ),
    { selector: ([path]) => path, minLength: 1 },
  )
  .map((picked) => {
    const deleted = picked.filter(([, how]) => how === 'deleted').map(([path]) => path);
    const isBelow = (path: string) => deleted.some((other) => path.startsWith(`${other}/`));
    return picked
      .filter(([path]) => !isBelow(path))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, how, more]): LayerInput => {
        if (how === 'deleted') return { path, whiteout: true };
        if (/[xyz]$/.test(path)) return { path, node: fileOf(path, more) };
        return { path, node: directoryOf(more), ...(how === 'opaque' && { opaque: true }) };
      });
  });

/** Some have a layer twice: one that deletes what was there, say, and nothing has come since. */
const anyStack = fc
  .tuple(fc.array(anyLayer, { minLength: 1, maxLength: 4 }), fc.option(fc.nat(3)))
  .map(([stack, again]) => (again === null ? stack : [...stack, stack[again % stack.length]!]));

describe.each(['erofs', 'directory'] as const)('an overlay of layers as %s', (form) => {
  it('shows every path as the tree of the stack has it, and nothing else', () => {
    const home = tempDirectory();
    const store = openStore(join(home, 'store'));
    const [mounts, directory] = ['mounts', 'snapshots'].map((name) => {
      mkdirSync(join(home, name));
      return join(home, name);
    }) as [string, string];
    const places = { directory, trash: join(home, 'trash') };
    const snapshotter = createOverlaySnapshotter({ ...places, userXattr: false });
    const mounted = new Set<string>();
    let count = 0;
    fc.assert(
      fc.property(anyStack, (stack) => {
        count += 1;
        const layers = stack.map((inputs) => makeLayer(store, inputs));
        const options = { home: store.home, forms: [form], rootless: false, mounts };
        const lowers = layers.map((layer) => prepareMountable(layer, options).lower);
        if (form === 'erofs') for (const lower of lowers) mounted.add(lower);
        const top = overlayTop(layers);
        if (top.entries.size > 0) {
          lowers.push(join(home, `top-${count}`));
          mkdirSync(lowers.at(-1)!);
          applyLayer(top, lowers.at(-1)!, { rootless: false });
        }
        for (const kind of ['prepare', 'view'] as const) {
          const snapshot = snapshotter[kind](`${kind}-${count}`, lowers);
          expect(meaningOf(diskTree(snapshot.root))).toEqual(meaningOf(stackTree(layers)));
          snapshotter.remove(snapshot);
        }
      }),
      { numRuns: 40 },
    );
    for (const lower of mounted) umount(lower, MNT_DETACH);
  });
});

function diskTree(root: string): FileTree {
  const node = (path: string) => readDiskNode(join(root, path));
  return {
    lookup: node,
    list: (path) => (node(path)?.type === 'directory' ? readNames(join(root, path)) : []),
  };
}

function meaningOf(tree: FileTree): unknown[] {
  return walkTree(tree).map(({ path, node }) => {
    const { type, mode, uid, gid, size, mtime, xattrs = {} } = node;
    const attributes = Object.entries(xattrs).map(([name, value]) => [name, [...value]]);
    return { path, type, mode, uid, gid, size, mtime, attributes };
  });
}
