/** Nodes by hand, and random trees of them, as input for a layer. */
import * as fc from 'fast-check';
import type { LayerEntry, LayerInput } from '../../src/layer/layer.ts';
import { type FileNode, joinPath } from '../../src/tree/file-tree.ts';
import { anyId, anyMode, anyName, anyTime, anyXattrs } from '../tar/arbitrary.ts';

const base = { uid: 0, gid: 0, size: 0, mtime: 0n };

export function fileOf(text: string | Uint8Array, more: Partial<FileNode> = {}): FileNode {
  const bytes = Buffer.from(text as string);
  return { ...base, type: 'file', mode: 0o644, size: bytes.length, content: { bytes }, ...more };
}

export function directoryOf(more: Partial<FileNode> = {}): FileNode {
  return { ...base, type: 'directory', mode: 0o755, ...more };
}

export function symlinkTo(linkTarget: string, more: Partial<FileNode> = {}): FileNode {
  return { ...base, type: 'symlink', mode: 0o777, linkTarget, ...more };
}

/** What an index says that does not depend on where the tar is, so that two can be compared. */
export function meaningOf(entries: Iterable<LayerEntry | LayerInput>): unknown[] {
  const inodes = new Map<string, string[]>();
  const list = [...entries];
  for (const entry of list) {
    if ('whiteout' in entry || entry.node.inode === undefined) continue;
    inodes.set(entry.node.inode, [...(inodes.get(entry.node.inode) ?? []), entry.path]);
  }
  return list.map((entry) => {
    if ('whiteout' in entry) return entry;
    const { type, mode, uid, gid, size, mtime, linkTarget, device, xattrs, inode } = entry.node;
    const links = inode === undefined ? [] : inodes.get(inode)!.toSorted();
    const attributes = Object.entries(xattrs ?? {})
      .map(([name, value]) => `${name} ${Buffer.from(value).toString('hex')}`)
      .sort();
    const node = { type, mode, uid, gid, size, mtime, linkTarget, device, attributes };
    return {
      path: entry.path,
      opaque: entry.opaque === true,
      node,
      links: links.length > 1 ? links : [],
    };
  });
}

const common = fc.record({
  mode: anyMode,
  uid: anyId,
  gid: anyId,
  mtime: anyTime,
  xattrs: anyXattrs,
});
const content = fc.uint8Array({ maxLength: 1500 });
const leaf: fc.Arbitrary<FileNode> = fc
  .tuple(
    common,
    fc.oneof(
      {
        weight: 4,
        arbitrary: content.map(
          (bytes): Partial<FileNode> => ({ type: 'file', size: bytes.length, content: { bytes } }),
        ),
      },
      {
        weight: 1,
        arbitrary: anyName.map(
          (name): Partial<FileNode> => ({ type: 'symlink', linkTarget: `../${name}` }),
        ),
      },
      { weight: 1, arbitrary: fc.constant<Partial<FileNode>>({ type: 'fifo' }) },
      {
        weight: 1,
        arbitrary: fc.record({
          type: fc.constantFrom('char' as const, 'block' as const),
          device: fc.record({ major: fc.nat(255), minor: fc.nat(99999) }),
        }),
      },
    ),
  )
  .map(([attributes, own]) => tidy({ size: 0, ...attributes, ...own } as FileNode));

function tidy(node: FileNode): FileNode {
  const { xattrs, ...rest } = node;
  return xattrs === undefined ? rest : node;
}

type Shape =
  | { readonly kind: 'leaf'; readonly node: FileNode; readonly link: boolean }
  | { readonly kind: 'whiteout' }
  | {
      readonly kind: 'directory';
      readonly node: FileNode;
      readonly opaque: boolean;
      readonly children: readonly (readonly [string, Shape])[];
    };

const { shape } = fc.letrec<{ shape: Shape }>((tie) => ({
  shape: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ kind: fc.constant('leaf' as const), node: leaf, link: fc.boolean() }),
    fc.constant({ kind: 'whiteout' as const }),
    fc.record({
      kind: fc.constant('directory' as const),
      node: common.map((attributes) => tidy({ type: 'directory', size: 0, ...attributes })),
      opaque: fc.boolean(),
      children: fc.uniqueArray(
        fc.tuple(
          anyName.filter((n) => !n.startsWith('.wh.')),
          tie('shape'),
        ),
        {
          selector: ([name]) => name,
          maxLength: 5,
        },
      ),
    }),
  ),
}));

/** Inputs of one layer: parents before children, some files with hard links, whiteouts and opaque directories. */
export const anyInputs: fc.Arbitrary<LayerInput[]> = fc
  .uniqueArray(
    fc.tuple(
      anyName.filter((name) => !name.startsWith('.wh.')),
      shape,
    ),
    { selector: ([name]) => name, maxLength: 6 },
  )
  .map((roots) => {
    const inputs: LayerInput[] = [];
    const linked: FileNode[] = [];
    const visit = (path: string, what: Shape) => {
      if (what.kind === 'whiteout') inputs.push({ path, whiteout: true });
      else if (what.kind === 'leaf')
        inputs.push({ path, node: what.link ? withLink(what.node, linked) : what.node });
      else {
        inputs.push({ path, node: what.node, ...(what.opaque && { opaque: true }) });
        for (const [name, child] of what.children) visit(joinPath(path, name), child);
      }
    };
    for (const [name, child] of roots) visit(name, child);
    return inputs;
  });

/** Every other time a link to what was made linkable before. */
function withLink(node: FileNode, linked: FileNode[]): FileNode {
  if (linked.length > 0 && node.mode % 2 === 0) return linked[node.mode % linked.length]!;
  linked.push({ ...node, inode: `inode-${linked.length}` });
  return linked.at(-1)!;
}
