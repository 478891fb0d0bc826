/** Trees in memory, written and shown as lines: `d700 5/6 0 dir`, `-644 0/0 12 dir/file`, `l777 0/0 0 link -> target`. */
import { DraftTree } from '../../src/tree/draft-tree.ts';
import {
  EMPTY_TREE,
  type FileNode,
  type FileTree,
  type FileType,
} from '../../src/tree/file-tree.ts';
import { walkTree } from '../../src/tree/select.ts';

const TYPES: Readonly<Record<string, FileType>> = {
  '-': 'file',
  d: 'directory',
  l: 'symlink',
  p: 'fifo',
  c: 'char',
  b: 'block',
};

/** Bytes of a file are `contents[path]`, else as many zeros as it has. Parents need no line of their own. */
export function treeOf(
  lines: readonly string[],
  contents: Readonly<Record<string, string>> = {},
): DraftTree {
  const tree = new DraftTree(EMPTY_TREE);
  const created = { mode: 0o755, uid: 0, gid: 0, mtime: 0n };
  for (const line of [...lines].sort((a, b) => (pathOf(a) < pathOf(b) ? -1 : 1))) {
    const [, letter, mode, uid, gid, size, name, target] =
      /^(.)(\d+) (\d+)\/(\d+) ([\d,]+) (.*?)(?: -> (.*))?$/s.exec(line)!;
    const bytes = Buffer.from(contents[name!] ?? '\0'.repeat(Number(size)));
    tree.makeDirectory(name!.split('/').slice(0, -1).join('/'), created);
    tree.put(name!, {
      type: TYPES[letter!]!,
      mode: Number.parseInt(mode!, 8),
      uid: Number(uid),
      gid: Number(gid),
      mtime: 0n,
      size: letter === '-' ? bytes.length : 0,
      ...(letter === '-' ? { content: { bytes } } : {}),
      ...(target === undefined ? {} : { linkTarget: target }),
    });
  }
  return tree;
}

/** Files with these contents, mode 644, of root. */
export function filesOf(contents: Readonly<Record<string, string>>): DraftTree {
  const lines = Object.keys(contents).map((name) =>
    name.endsWith('/') ? `d755 0/0 0 ${name.slice(0, -1)}` : `-644 0/0 0 ${name}`,
  );
  return treeOf(lines, contents);
}

export function describeTree(tree: FileTree): string[] {
  return walkTree(tree)
    .map(({ path, node }) => describeNode(path, node))
    .sort();
}

export function describeNode(path: string, node: FileNode): string {
  const letter = Object.keys(TYPES).find((key) => TYPES[key] === node.type);
  const target = node.linkTarget === undefined ? '' : ` -> ${node.linkTarget}`;
  return `${letter}${node.mode.toString(8)} ${node.uid}/${node.gid} ${node.size} ${path}${target}`;
}

function pathOf(line: string): string {
  return line.split(' ')[3]!;
}
