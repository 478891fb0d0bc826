import { describe, expect, it } from 'vitest';
import type { LayerEntry } from '../../src/layer/layer.ts';
import { isWhiteout, lowerEntries, lowerXattrs } from '../../src/layer/lower.ts';
import type { FileNode } from '../../src/tree/file-tree.ts';

const directory: FileNode = { type: 'directory', mode: 0o750, uid: 7, gid: 8, size: 0, mtime: 9n };
const file: FileNode = { ...directory, type: 'file', mode: 0o644 };
const link: FileNode = { ...directory, type: 'symlink', linkTarget: '/etc' };

function lower(...entries: LayerEntry[]) {
  return lowerEntries({ entries: new Map(entries.map((entry) => [entry.path, entry])) });
}
const paths = (...entries: LayerEntry[]) => lower(...entries).map(({ path }) => path);

describe('the entries of a lower directory', () => {
  it('start with the root, which the layer need not have', () => {
    expect(lower()).toMatchObject([
      { path: '', implicit: true, node: { type: 'directory', mode: 0o755 } },
    ]);
    expect(lower({ path: 'a', node: file }, { path: '', node: directory })).toMatchObject([
      { path: '', implicit: false, node: { mode: 0o750 } },
      { path: 'a' },
    ]);
  });

  it('have every parent before its children, whatever the order of the tar', () => {
    expect(paths({ path: 'a/b/c', node: file }, { path: 'a/b', node: directory })).toEqual([
      '',
      'a',
      'a/b',
      'a/b/c',
    ]);
  });

  it('take the attributes of a directory that comes after its children', () => {
    const entries = lower({ path: 'a/b', node: file }, { path: 'a', node: directory });
    expect(entries[1]).toMatchObject({ path: 'a', implicit: false, node: { uid: 7 } });
  });

  it('make a parent that is missing, with plain attributes', () => {
    expect(lower({ path: 'a/b', node: file })[1]).toMatchObject({
      path: 'a',
      implicit: true,
      opaque: false,
      node: { type: 'directory', mode: 0o755, uid: 0 },
    });
  });

  it('turn a whiteout into a 0:0 device', () => {
    const [, entry] = lower({ path: 'gone', whiteout: true });
    expect(isWhiteout(entry!.node)).toBe(true);
  });

  it.each([
    [
      'before',
      [
        { path: 'a', whiteout: true },
        { path: 'a/b', node: file },
      ],
    ],
    [
      'after',
      [
        { path: 'a/b', node: file },
        { path: 'a', whiteout: true },
      ],
    ],
  ] as const)('make a directory opaque whose whiteout comes %s what lies in it', (_, entries) => {
    expect(lower(...entries)).toMatchObject([
      { path: '' },
      { path: 'a', opaque: true, implicit: true },
      { path: 'a/b' },
    ]);
  });

  it.each<[string, string, LayerEntry[]]>([
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
    ['an absolute path', 'clean path', [{ path: '/a', node: file }]],
    ['a NUL in a name', 'clean path', [{ path: 'a\0b', node: file }]],
    ['a name of 256 bytes', 'longer than a path', [{ path: 'é'.repeat(128), node: file }]],
    [
      'a path of 4096 bytes',
      'longer than a path',
      [{ path: `${'a/'.repeat(2047)}bc`, node: file }],
    ],
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
  ])('refuse %s', (_, message, entries) => {
    expect(() => lower(...entries)).toThrowError(
      expect.objectContaining({ code: 'ARCHIVE', message: expect.stringContaining(message) }),
    );
  });

  it('accept names of 255 bytes and paths of 4095', () => {
    expect(paths({ path: 'x'.repeat(255), node: file })).toHaveLength(2);
    expect(paths({ path: `${'a/'.repeat(2047)}b`, node: file })).toHaveLength(2049);
  });
});

describe('the xattrs of a lower entry', () => {
  const value = Buffer.from('v');
  const xattrs = {
    'user.a': value,
    'trusted.overlay.redirect': value,
    'user.overlay.opaque': value,
  };
  it('drop what would steer the overlay, and mark an opaque directory', () => {
    const entry = { path: 'a', node: { ...directory, xattrs }, opaque: true, implicit: false };
    expect(lowerXattrs(entry, 'trusted')).toEqual([
      ['user.a', value],
      ['trusted.overlay.opaque', Buffer.from('y')],
    ]);
    expect(lowerXattrs({ ...entry, opaque: false }, 'user')).toEqual([['user.a', value]]);
  });
});
