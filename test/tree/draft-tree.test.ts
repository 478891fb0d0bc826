import { expect, test } from 'vitest';
import { DraftTree } from '../../src/tree/draft-tree.ts';
import {
  baseName,
  type FileNode,
  type FileTree,
  type FileType,
  parentPath,
} from '../../src/tree/file-tree.ts';

const CREATED = { mode: 0o755, uid: 0, gid: 0, mtime: 5n };

function node(type: FileType, mtime = 0n): FileNode {
  return { type, mode: 0o755, uid: 0, gid: 0, size: 0, mtime };
}

const FILE = node('file');
const DIRECTORY = node('directory');

/** Directories end in a slash. Counts how often it is asked. */
function treeOf(paths: readonly string[]) {
  const nodes = new Map<string, FileNode>([['', DIRECTORY]]);
  for (const path of paths)
    nodes.set(path.replace(/\/$/, ''), path.endsWith('/') ? DIRECTORY : FILE);
  const asked: string[] = [];
  const tree: FileTree = {
    lookup(path) {
      asked.push(path);
      return nodes.get(path);
    },
    list: (path) =>
      [...nodes.keys()].filter((at) => at !== '' && parentPath(at) === path).map(baseName),
  };
  return { tree, asked };
}

test('what was put is seen beside what was there, each name once and in order', () => {
  const draft = new DraftTree(treeOf(['etc/', 'etc/b', 'etc/d']).tree);
  draft.put('etc/c', FILE);
  draft.put('etc/b', node('file', 1n));
  draft.put('etc/c', node('file', 2n));
  expect(draft.list('etc')).toEqual(['b', 'c', 'd']);
  expect(draft.lookup('etc/b')?.mtime).toBe(1n);
  expect(draft.lookup('etc/c')?.mtime).toBe(2n);
  expect(draft.lookup('etc/d')).toBe(FILE);
});

test('a file in the place of a directory hides what was below, and a directory in its place is opaque', () => {
  const draft = new DraftTree(treeOf(['a/', 'a/old', 'a/deep/', 'a/deep/old']).tree);
  draft.put('a/new', FILE);
  draft.put('a', FILE);
  expect(['a/old', 'a/new', 'a/deep/old'].map((path) => draft.lookup(path))).toEqual(
    Array(3).fill(undefined),
  );
  expect(draft.toEntries()).toEqual([{ path: 'a', node: FILE }]);
  draft.put('a', DIRECTORY);
  expect([draft.list('a'), draft.lookup('a/old')]).toEqual([[], undefined]);
  draft.put('a/again', FILE);
  expect(draft.toEntries()).toEqual([
    { path: 'a', node: DIRECTORY, opaque: true },
    { path: 'a/again', node: FILE },
  ]);
});

test('entries come sorted by path, with the directories that they lie in', () => {
  const { tree } = treeOf(['usr/', 'usr/lib/']);
  const draft = new DraftTree(tree);
  draft.put('usr/lib/x', FILE);
  draft.put('usr/lib.d', FILE);
  draft.makeDirectory('opt/app', CREATED);
  expect(draft.toEntries().map(({ path, node }) => [path, node.mtime])).toEqual([
    ['opt', 5n],
    ['opt/app', 5n],
    ['usr', 0n],
    ['usr/lib', 0n],
    ['usr/lib.d', 0n],
    ['usr/lib/x', 0n],
  ]);
});

test('the tree below is not asked for what lies in a directory that it does not have', () => {
  const { tree, asked } = treeOf([]);
  const draft = new DraftTree(tree);
  draft.makeDirectory('app', CREATED);
  for (let n = 0; n < 100; n += 1) draft.put(`app/${n}`, FILE, draft.lookup(`app/${n}`));
  expect(asked.filter((path) => path.startsWith('app/'))).toEqual([]);
});
