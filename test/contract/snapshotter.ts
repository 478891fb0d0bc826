/**
 * What every way to make a root filesystem owes. Each implementation's test calls this, in a mount namespace of its
 * own. That its changes are right is judged by what they are for: a layer made of them, put on top, shows the same
 * files.
 */
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { makedev, mknod, S_IFCHR } from '../../src/host/syscalls.ts';
import { adoptLayer } from '../../src/layer/adopt.ts';
import { writeChanges } from '../../src/layer/diff.ts';
import type { Layer } from '../../src/layer/layer.ts';
import type { Snapshotter } from '../../src/snapshot/snapshotter.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { directoryNode, makeLayer, textNode } from '../helpers/busybox.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { readBack } from '../layer/read-back.ts';

export interface SnapshotPlaces {
  readonly directory: string;
  readonly trash: string;
}

export interface SnapshotterInTest {
  readonly snapshots: Snapshotter;
  /** A layer as this snapshotter wants it. */
  readonly lowerOf: (store: Store, layer: Layer) => string;
}

export function snapshotterContract(
  name: string,
  create: (places: SnapshotPlaces) => SnapshotterInTest,
): void {
  const setUp = () => {
    const home = tempDirectory();
    const places = { directory: join(home, 'snapshots'), trash: join(home, 'trash') };
    mkdirSync(places.directory);
    return { ...create(places), store: openStore(join(home, 'store')), ...places };
  };
  const baseOf = (store: Store): Layer =>
    makeLayer(store, [
      { path: 'a', node: directoryNode },
      { path: 'a/b', node: directoryNode },
      { path: 'a/b/one', node: textNode('one', { inode: '1' }) },
      { path: 'a/b/two', node: textNode('one', { inode: '1' }) },
      { path: 'a/c', node: textNode('see') },
      { path: 'l', node: { ...directoryNode, type: 'symlink', linkTarget: 'a/c' } },
    ]);

  describe(`${name} as a snapshotter`, () => {
    it('shows the layers, upper ones over lower ones, without what they delete', () => {
      const { snapshots, lowerOf, store } = setUp();
      const top = makeLayer(store, [
        { path: 'a', node: { ...directoryNode, mode: 0o700 } },
        { path: 'a/b', node: directoryNode, opaque: true },
        { path: 'a/b/three', node: textNode('three') },
        { path: 'a/c', whiteout: true },
      ]);
      const lowers = [baseOf(store), top].map((layer) => lowerOf(store, layer));
      const snapshot = snapshots.prepare('s', lowers);
      expect(readdirSync(snapshot.root)).toEqual(['a', 'l']);
      expect(statSync(join(snapshot.root, 'a')).mode & 0o777).toBe(0o700);
      expect(readdirSync(join(snapshot.root, 'a'))).toEqual(['b']);
      expect(readdirSync(join(snapshot.root, 'a/b'))).toEqual(['three']);
      snapshots.remove(snapshot);
    });

    it('shows a stack that has one layer twice', () => {
      const { snapshots, store, lowerOf } = setUp();
      const [one, two] = [
        { path: 'a/c', whiteout: true as const },
        { path: 'a/c', node: textNode('c') },
      ]
        .map((input) => [{ path: 'a', node: directoryNode }, input])
        .map((inputs) => makeLayer(store, inputs)) as [Layer, Layer];
      for (const stack of [
        [one, two, one],
        [two, one, two],
        [two, two],
      ]) {
        const lowers = [baseOf(store), ...stack].map((layer) => lowerOf(store, layer));
        for (const kind of ['prepare', 'view'] as const) {
          const snapshot = snapshots[kind](kind, lowers);
          const expected = stack.at(-1) === two ? ['b', 'c'] : ['b'];
          expect(readdirSync(join(snapshot.root, 'a'))).toEqual(expected);
          snapshots.remove(snapshot);
        }
      }
      const alone = snapshots.view('alone', [lowerOf(store, two), lowerOf(store, two)]);
      expect(readdirSync(join(alone.root, 'a'))).toEqual(['c']);
      snapshots.remove(alone);
    });

    it('keeps what is written apart from the layers and from other snapshots', () => {
      const { snapshots, lowerOf, store } = setUp();
      const lower = lowerOf(store, baseOf(store));
      const [first, second] = ['1', '2'].map((key) => snapshots.prepare(key, [lower]));
      writeFileSync(join(first!.root, 'a/c'), 'changed');
      rmSync(join(first!.root, 'a/b'), { recursive: true });
      const third = snapshots.prepare('3', [lower]);
      for (const { root } of [second!, third]) {
        expect(readFileSync(join(root, 'a/c'), 'utf8')).toBe('see');
      }
      for (const snapshot of [first!, second!, third]) snapshots.remove(snapshot);
    });

    it('makes an empty root of nothing', () => {
      const { snapshots, store } = setUp();
      const snapshot = snapshots.prepare('s', []);
      expect(readdirSync(snapshot.root)).toEqual([]);
      writeFileSync(join(snapshot.root, 'x'), 'x');
      const written = writeChanges(snapshots.changes(snapshot), [], { directory: store.tempDir() });
      expect(written).toBeDefined();
      snapshots.remove(snapshot);
    });

    it.each([0, 1, 2])('makes a view of %i layers, which cannot be written to', (count) => {
      const { snapshots, lowerOf, store } = setUp();
      const lower = lowerOf(store, baseOf(store));
      const other = lowerOf(store, makeLayer(store, [{ path: 'x', node: textNode('x') }]));
      const view = snapshots.view('v', [lower, other].slice(0, count));
      expect(readdirSync(view.root)).toEqual([[], ['a', 'l'], ['a', 'l', 'x']][count]);
      expect(() => writeFileSync(join(view.root, 'y'), '')).toThrow('EROFS');
      snapshots.remove(view);
    });

    it('opens devices only where that is wanted', () => {
      const { snapshots } = setUp();
      for (const devices of [true, false]) {
        const snapshot = snapshots.prepare(`s-${devices}`, [], { devices });
        const node = join(snapshot.root, 'null');
        mknod(node, S_IFCHR | 0o666, makedev(1, 3));
        if (devices) expect(readFileSync(node, 'utf8')).toBe('');
        else expect(() => readFileSync(node)).toThrow('EACCES');
        snapshots.remove(snapshot);
      }
    });

    it('tells of no change when there was none', () => {
      const { snapshots, lowerOf, store } = setUp();
      const base = baseOf(store);
      const snapshot = snapshots.prepare('s', [lowerOf(store, base)]);
      const directory = store.tempDir();
      expect(writeChanges(snapshots.changes(snapshot), [base], { directory })).toBe(undefined);
      snapshots.remove(snapshot);
    });

    it('never takes for little what is much', () => {
      const { snapshots } = setUp();
      const [many, large] = ['many', 'large'].map((key) => snapshots.prepare(key, []));
      mkdirSync(join(many!.root, 'd'));
      for (let number = 0; number < 1000; number += 1) {
        writeFileSync(join(many!.root, 'd', String(number)), '');
      }
      writeFileSync(join(large!.root, 'x'), Buffer.alloc(4 << 20));
      for (const snapshot of [many!, large!]) {
        expect(snapshots.smallChanges(snapshot)).toBe(undefined);
        snapshots.remove(snapshot);
      }
    });

    it('gives what was written away, if it has it apart', () => {
      const { snapshots, lowerOf, store, directory } = setUp();
      const lower = lowerOf(store, baseOf(store));
      const snapshot = snapshots.prepare('s', [lower]);
      rmSync(join(snapshot.root, 'a/b'), { recursive: true });
      writeFileSync(join(snapshot.root, 'new'), 'new');
      const taken = snapshots.take(snapshot);
      if (taken !== undefined) {
        renameSync(taken, join(directory, 'kept'));
        const view = snapshots.view('v', [lower, join(directory, 'kept')]);
        expect(readdirSync(view.root)).toEqual(['a', 'l', 'new']);
        expect(readdirSync(join(view.root, 'a'))).toEqual(['c']);
        snapshots.remove(view);
      }
      snapshots.remove(snapshot);
      expect(existsSync(snapshot.directory)).toBe(false);
    });

    it.each([
      ['nothing of a few files', 1, 0],
      ['trash of many', 200, 1],
    ])('leaves %s, and can be told so twice', (_, files, left) => {
      const { snapshots, lowerOf, store, directory, trash } = setUp();
      mkdirSync(trash);
      const snapshot = snapshots.prepare('s', [lowerOf(store, baseOf(store))]);
      for (let file = 0; file < files; file += 1)
        writeFileSync(join(snapshot.root, `x${file}`), 'x');
      snapshots.remove(snapshot);
      snapshots.remove(snapshot);
      expect(existsSync(join(directory, 's'))).toBe(false);
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(snapshot.root);
      expect(readdirSync(trash)).toHaveLength(left);
    });

    it('tells what any writer did, so that a layer of it shows the same', () => {
      const { snapshots, lowerOf, store } = setUp();
      const base = baseOf(store);
      let run = 0;
      fc.assert(
        fc.property(fc.array(action, { maxLength: 12 }), (actions) => {
          run += 1;
          const snapshot = snapshots.prepare(`s${run}`, [lowerOf(store, base)]);
          for (const act of actions) perform(act, snapshot.root);
          const seen = withoutLinks(readBack(snapshot.root));
          const options = { directory: store.tempDir() };
          const written = writeChanges(snapshots.changes(snapshot), [base], options);
          const layers = written === undefined ? [base] : [base, adoptLayer(store, written)];
          const view = snapshots.view(
            `v${run}`,
            layers.map((layer) => lowerOf(store, layer)),
          );
          expect(withoutLinks(readBack(view.root))).toEqual(seen);
          snapshots.remove(view);
          snapshots.remove(snapshot);
        }),
        { numRuns: 60 },
      );
    });
  });
}

type Action = readonly [verb: keyof typeof VERBS, path: string, other: string];

const path = fc.constantFrom(
  'a',
  'a/b',
  'a/c',
  'a/b/one',
  'a/b/two',
  'l',
  'n',
  'a/n',
  'a/b/n',
  'n/m',
);
const action: fc.Arbitrary<Action> = fc.tuple(
  fc.constantFrom('write', 'mkdir', 'remove', 'rename', 'link', 'symlink', 'mode'),
  path,
  path,
);

const VERBS = {
  write: (path: string, other: string) => writeFileSync(path, other, { flag: 'w' }),
  mkdir: (path: string) => mkdirSync(path),
  remove: (path: string) => rmSync(path, { recursive: true }),
  rename: (path: string, other: string) => renameSync(path, other),
  link: (path: string, other: string) => linkSync(path, other),
  symlink: (path: string, other: string) => symlinkSync(other, path),
  mode: (path: string, other: string) => chmodSync(path, 0o600 + other.length),
};

/** What cannot be done (no such file, not empty, …) is not done. */
function perform([verb, path, other]: Action, root: string): void {
  try {
    VERBS[verb](
      join(root, path),
      verb === 'symlink' || verb === 'write' ? other : join(root, other),
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}

/**
 * Overlayfs shows hard links of lower layers as files of their own once they are written to. The root belongs to
 * nobody.
 */
function withoutLinks(seeing: ReturnType<typeof readBack>) {
  return Object.entries(seeing)
    .filter(([path]) => path !== '')
    .map(([path, { links: _, sameAs: __, ...rest }]) => [path, rest]);
}
