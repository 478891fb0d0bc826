/**
 * Layers as fast-check makes them up: small trees of everything, with names that collide, sort oddly or are no text.
 */
import fc from 'fast-check';
import type { LayerEntry } from '../../src/layer/layer.ts';
import type { FileNode } from '../../src/tree/file-tree.ts';
import { make, type Packed } from './pack.ts';

const name = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    'c',
    'd',
    '.x',
    '...',
    '!',
    'é',
    '😀',
    '￿',
    '\udcff\udcfe',
    'n'.repeat(255),
  ),
  fc
    .stringMatching(/^[ -~]{1,40}$/)
    .filter((text) => !text.includes('/') && text !== '.' && text !== '..'),
);

const xattrs = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  {
    weight: 1,
    arbitrary: fc.dictionary(
      fc.stringMatching(/^(trusted|security)\.[a-z]{1,20}$/),
      fc.uint8Array({ maxLength: 700 }),
      { maxKeys: 3 },
    ),
  },
);

const attributes = fc.record({
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.integer({ min: 0, max: 0xffff_fffe }),
  gid: fc.integer({ min: 0, max: 0xffff_fffe }),
  // What ext4 can hold, and an index: until the year 2255.
  mtime: fc.bigInt({ min: -2n * 10n ** 18n, max: 9n * 10n ** 18n }),
  xattrs,
});

type Leaf =
  | {
      readonly kind: 'node';
      readonly node: FileNode;
      readonly opaque?: boolean;
      readonly data?: Uint8Array;
    }
  | { readonly kind: 'whiteout' }
  | { readonly kind: 'link'; readonly to: number };

const leaf: fc.Arbitrary<Leaf> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(attributes, fc.uint8Array({ maxLength: 2000 }))
      .map(([more, data]) => plain(make.file(more), data)),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(attributes, fc.boolean())
      .map(([more, opaque]) => plain(make.directory(more), undefined, opaque)),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(attributes, fc.string({ minLength: 1, maxLength: 600 }))
      .map(([more, target]) => plain(make.symlink(target.replaceAll('\0', '0'), more))),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(attributes, fc.nat(4095), fc.nat(0xfffff))
      .map(([more, high, low]) => plain(make.device('char', high, low, more))),
  },
  { weight: 1, arbitrary: attributes.map((more) => plain(make.fifo(more))) },
  { weight: 1, arbitrary: fc.constant({ kind: 'whiteout' as const }) },
  { weight: 2, arbitrary: fc.nat(30).map((to) => ({ kind: 'link' as const, to })) },
);

function plain(node: FileNode, data?: Uint8Array, opaque = false): Leaf {
  return { kind: 'node', node, opaque, ...(data === undefined ? {} : { data }) };
}

/** A layer as an index would have it: no path twice, nothing below what is not a directory. */
export function arbitraryLayer(): fc.Arbitrary<readonly Packed[]> {
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
  return fc.array(fc.tuple(path, leaf), { maxLength: 40 }).map((drawn) => {
    const layer = new Map<string, Packed>();
    for (const [path, leaf] of drawn) {
      const entry = entryFor(path, leaf, [...layer.values()]);
      if (entry !== undefined && isFree(path, entry, layer)) layer.set(path, entry);
    }
    return [...layer.values()];
  });
}

function entryFor(path: string, leaf: Leaf, before: readonly Packed[]): Packed | undefined {
  if (leaf.kind === 'whiteout') return { path, whiteout: true };
  if (leaf.kind === 'node') {
    const { kind: _, node, ...rest } = leaf;
    return { path, node: node.type === 'file' ? { ...node, inode: path } : node, ...rest };
  }
  const files = before.filter((entry) => 'node' in entry && entry.node.type === 'file');
  const target = files[leaf.to % files.length];
  return target && { ...target, path };
}

function isFree(path: string, entry: Packed, layer: ReadonlyMap<string, Packed>): boolean {
  const isDirectory = 'node' in entry && entry.node.type === 'directory';
  const parts = path.split('/');
  const parents = parts.slice(1).map((_, at) => layer.get(parts.slice(0, at + 1).join('/')));
  const isUnderDirectories = parents.every(
    (parent) => !parent || ('node' in parent && parent.node.type === 'directory'),
  );
  const hasChildren = [...layer.keys()].some((other) => other.startsWith(`${path}/`));
  return !layer.has(path) && isUnderDirectories && (isDirectory || !hasChildren);
}

const odd = fc.constantFrom(
  -1,
  -512,
  0.5,
  Number.NaN,
  2 ** 32,
  2 ** 53,
  0xffff_ffff,
  Number.POSITIVE_INFINITY,
);
const number = fc.oneof({ weight: 40, arbitrary: fc.nat(4095) }, { weight: 1, arbitrary: odd });
const oddPath = fc.constantFrom(
  '..',
  'a/../b',
  '/a',
  'a/',
  'a//b',
  '.',
  'a\0b',
  'x'.repeat(300),
  `${'a/'.repeat(3000)}a`,
);
const offset = fc.oneof(
  { weight: 20, arbitrary: fc.nat(8).map((block) => block * 512) },
  { weight: 1, arbitrary: number },
);

/** What no honest scan would give: much of it is nearly right, and some is right only together with the rest. */
export function hostileIndex(): fc.Arbitrary<LayerEntry[]> {
  const path = fc.oneof(
    { weight: 30, arbitrary: fc.array(name, { maxLength: 3 }).map((names) => names.join('/')) },
    { weight: 1, arbitrary: oddPath },
  );
  const node = fc
    .record({
      type: fc.constantFrom(
        ...(['file', 'directory', 'directory', 'directory', 'symlink', 'char', 'fifo'] as const),
      ),
      mode: number,
      uid: number,
      gid: number,
      size: number,
      mtime: fc.bigInt(),
      linkTarget: fc.constantFrom('a', 'b', 'b'.repeat(447), '', '\0', 'c'.repeat(5000)),
      device: fc.record({ major: fc.nat(4095), minor: number }),
      xattrs: fc.oneof(xattrs, fc.dictionary(fc.string(), fc.uint8Array(), { maxKeys: 2 })),
      inode: fc.constantFrom(undefined, undefined, '1', '2'),
      offset,
    })
    .map(
      ({ offset, ...node }) =>
        ({ ...node, content: { file: '', offset, size: node.size } }) as FileNode,
    );
  const entry = fc.oneof(
    { weight: 9, arbitrary: fc.record({ path, node, opaque: fc.boolean() }) },
    { weight: 1, arbitrary: path.map((path) => ({ path, whiteout: true as const })) },
  );
  return fc.array(entry, { maxLength: 5 });
}
