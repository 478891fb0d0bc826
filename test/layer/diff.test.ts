import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { diffChanges } from '../../src/layer/diff.ts';
import type { LayerInput } from '../../src/layer/layer.ts';
import type { Change } from '../../src/snapshot/snapshotter.ts';
import { baseName, type FileNode, type FileTree, parentPath } from '../../src/tree/file-tree.ts';

const base = { uid: 0, gid: 0, size: 0, mtime: 1_000n };
const dir: FileNode = { ...base, type: 'directory', mode: 0o755 };

function file(text: string, more: Partial<FileNode> = {}): FileNode {
  const bytes = Buffer.from(text);
  return { ...base, type: 'file', mode: 0o644, size: bytes.length, content: { bytes }, ...more };
}

/** As an index has it: the hash is known. */
function stored(text: string, more: Partial<FileNode> = {}): FileNode {
  return file(text, { sha256: createHash('sha256').update(text).digest('hex'), ...more });
}

function tree(nodes: Readonly<Record<string, FileNode>>): FileTree {
  return {
    lookup: (path) => (path === '' ? dir : nodes[path]),
    list: (path) =>
      Object.keys(nodes)
        .filter((name) => parentPath(name) === path)
        .map(baseName)
        .sort(),
  };
}

function changed(nodes: Readonly<Record<string, FileNode | 'gone' | 'new'>>): Change[] {
  return Object.entries(nodes).map(([path, node]) => {
    if (node === 'gone') return { path, whiteout: true };
    return node === 'new' ? { path, node: dir, opaque: true } : { path, node };
  });
}

function names(inputs: readonly LayerInput[]): string[] {
  return inputs.map((input) => {
    if ('whiteout' in input) return `!${input.path}`;
    return input.opaque ? `~${input.path}` : input.path;
  });
}

describe('what changed', () => {
  const parent = tree({
    d: dir,
    'd/a': stored('one'),
    'd/b': stored('two'),
    'd/s': dir,
    'd/s/x': stored('x'),
    l: { ...base, type: 'symlink', mode: 0o777, linkTarget: 'd' },
    n: { ...base, type: 'char', mode: 0o600, device: { major: 1, minor: 3 } },
    x: stored('x', { xattrs: { 'user.k': Buffer.from('v') } }),
    h1: stored('h', { inode: 'p' }),
    h2: stored('h', { inode: 'p' }),
  });
  const diff = (nodes: Parameters<typeof changed>[0]) =>
    names(diffChanges({ paths: changed(nodes), complete: false }, parent));

  it.each<[string, Parameters<typeof changed>[0], string[]]>([
    ['is a new file', { y: file('y') }, ['y']],
    ['is a file with other bytes, and its directory', { d: dir, 'd/a': file('ONE') }, ['d', 'd/a']],
    ['is not a file with the same bytes', { d: dir, 'd/a': file('one') }, []],
    [
      'is a file with another time',
      { d: dir, 'd/a': file('one', { mtime: 2_000n }) },
      ['d', 'd/a'],
    ],
    ['is a directory with another time', { d: { ...dir, mtime: 2_000n } }, ['d']],
    [
      'is not the same link, whatever its mode',
      { l: { ...base, type: 'symlink', mode: 0o755, linkTarget: 'd' } },
      [],
    ],
    [
      'is a link elsewhere',
      { l: { ...base, type: 'symlink', mode: 0o777, linkTarget: 'e' } },
      ['l'],
    ],
    [
      'is not the same device',
      { n: { ...base, type: 'char', mode: 0o600, device: { major: 1, minor: 3 } } },
      [],
    ],
    [
      'is another device',
      { n: { ...base, type: 'char', mode: 0o600, device: { major: 1, minor: 5 } } },
      ['n'],
    ],
    [
      'is an attribute’s other value',
      { x: file('x', { xattrs: { 'user.k': Buffer.from('w') } }) },
      ['x'],
    ],
    ['is a missing attribute', { x: file('x') }, ['x']],
    ['is not the same attribute', { x: file('x', { xattrs: { 'user.k': Buffer.from('v') } }) }, []],
    ['is a deletion', { d: { ...dir, mtime: 2n }, 'd/a': 'gone' }, ['d', '!d/a']],
    ['is not the deletion of nothing', { nothing: 'gone' }, []],
    ['is a directory in place of a file', { x: 'new', 'x/y': file('y') }, ['x', 'x/y']],
    ['is a new directory where there was none', { e: 'new', 'e/y': file('y') }, ['e', 'e/y']],
    ['is a new directory, with nothing of the old', { d: 'new', 'd/y': file('y') }, ['~d', 'd/y']],
    ['is a new directory without anything', { d: 'new' }, ['~d']],
    [
      'is not what a new directory has of the old one',
      { d: 'new', 'd/a': file('one'), 'd/y': file('y') },
      ['d', '!d/b', '!d/s', 'd/y'],
    ],
    [
      'is not what a new directory has of the old one, further down',
      { d: 'new', 'd/a': file('one'), 'd/b': file('two'), 'd/s': dir, 'd/s/y': file('y') },
      ['d', '~d/s', 'd/s/y'],
    ],
    [
      'is not a directory that was made again as it was',
      { d: 'new', 'd/a': file('one'), 'd/b': file('two'), 'd/s': dir, 'd/s/x': file('x') },
      [],
    ],
    [
      'is not a pair of links that is as it was',
      { h1: file('h', { inode: 'q' }), h2: file('h', { inode: 'q' }) },
      [],
    ],
    [
      'is all of a file’s names when it has a new one',
      { h1: file('h', { inode: 'q' }), h3: file('h', { inode: 'q' }) },
      ['h1', 'h3'],
    ],
    [
      'is two files that have become one',
      { d: dir, 'd/s': dir, 'd/s/x': file('x', { inode: 'q' }), y: file('x', { inode: 'q' }) },
      ['d', 'd/s', 'd/s/x', 'y'],
    ],
  ])('%s', (_, nodes, expected) => {
    expect(diff(nodes)).toEqual(expected);
  });

  it('is told by times as they will be written', () => {
    const late = { mtime: 5_000_000_000n };
    const before = tree({ f: stored('f', { mtime: 1_000_000_000n }) });
    const paths = changed({ f: file('f', late) });
    expect(names(diffChanges({ paths, complete: false }, before, 1))).toEqual([]);
    expect(names(diffChanges({ paths, complete: false }, before, 2))).toEqual(['f']);
  });

  it('is what is missing from a complete list, but for devices', () => {
    const paths: Change[] = [
      { path: 'd', node: dir },
      { path: 'd/a', node: file('changed'), untouched: true },
      ...changed({ 'd/b': file('changed'), l: file('now a file') }),
    ];
    const inputs = diffChanges({ paths, complete: true }, parent);
    expect(names(inputs)).toEqual(['!h1', '!h2', '!x', 'd', '!d/s', 'd/b', 'l']);
  });
});
