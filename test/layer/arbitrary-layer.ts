/** Layers as fast-check makes them up: small trees of everything, with names that collide, sort oddly or are no text. */
import fc from 'fast-check';
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
