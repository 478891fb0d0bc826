/** Layers that no filesystem can hold, and what is said of each when it is to be mounted. */
import type { LayerEntry } from '../../src/layer/layer.ts';
import type { FileNode } from '../../src/tree/file-tree.ts';

const directory: FileNode = { type: 'directory', mode: 0o750, uid: 7, gid: 8, size: 0, mtime: 9n };
const file: FileNode = { ...directory, type: 'file', mode: 0o644 };
const link: FileNode = { ...directory, type: 'symlink', linkTarget: '/etc' };

export const IMPOSSIBLE: readonly [what: string, message: string, entries: LayerEntry[]][] = [
  [
    'a file below a symlink',
    'a is not a directory',
    [
      { path: 'a', node: link },
      { path: 'a/passwd', node: file },
    ],
  ],
  [
    'the same, link last',
    'a is not a directory',
    [
      { path: 'a/passwd', node: file },
      { path: 'a', node: link },
    ],
  ],
  [
    'deep below a file',
    'a is not a directory',
    [
      { path: 'a', node: file },
      { path: 'a/b/c/d', node: file },
    ],
  ],
  [
    'a whiteout below a symlink',
    'a is not a directory',
    [
      { path: 'a', node: link },
      { path: 'a/b', whiteout: true },
    ],
  ],
  ['a root that is a file', 'the root is not a directory', [{ path: '', node: file }]],
  ['a root that is deleted', 'the root is not a directory', [{ path: '', whiteout: true }]],
  ['dot dot', 'clean path', [{ path: '../a', node: file }]],
  ['a NUL in a name', 'clean path', [{ path: 'a\0b', node: file }]],
  ['a name of 256 bytes', 'longer than a path', [{ path: 'é'.repeat(128), node: file }]],
  ['a path of 4096 bytes', 'longer than a path', [{ path: `${'a/'.repeat(2047)}bc`, node: file }]],
  [
    'an owner that means "unchanged"',
    'owner',
    [{ path: 'a', node: { ...file, uid: 0xffff_ffff } }],
  ],
  [
    'a negative owner of a parent',
    'owner',
    [
      { path: 'a/b', node: file },
      { path: 'a', node: { ...directory, gid: -1 } },
    ],
  ],
  [
    'a device beyond the kernel',
    'device',
    [{ path: 'a', node: { ...file, type: 'char', device: { major: 4096, minor: 0 } } }],
  ],
  ['a fraction of a byte', 'size', [{ path: 'a', node: { ...file, size: 0.5 } }]],
  ['a negative size', 'size', [{ path: 'a', node: { ...file, size: -1 } }]],
  [
    'an attribute without name',
    'attribute',
    [{ path: 'a', node: { ...file, xattrs: { '': Buffer.of(1) } } }],
  ],
  [
    'a NUL in the name of an attribute',
    'attribute',
    [{ path: 'a', node: { ...file, xattrs: { 'user.a\0b': Buffer.of(1) } } }],
  ],
  [
    'an attribute of the root above 64 KiB',
    'the root has an impossible attribute',
    [{ path: '', node: { ...directory, xattrs: { 'user.a': Buffer.alloc(65_537) } } }],
  ],
  ['an empty link target', 'link target', [{ path: 'a', node: { ...link, linkTarget: '' } }]],
  [
    'a link target of 4096 bytes',
    'link target',
    [{ path: 'a', node: { ...link, linkTarget: 'x'.repeat(4096) } }],
  ],
];
