import { describe, expect, it } from 'vitest';
import type { LayerEntry } from '../../src/layer/layer.ts';
import { isWhiteout, lowerEntries, lowerXattrs } from '../../src/layer/lower.ts';
import type { FileNode } from '../../src/tree/file-tree.ts';
import { IMPOSSIBLE } from './impossible.ts';

const directory: FileNode = { type: 'directory', mode: 0o750, uid: 7, gid: 8, size: 0, mtime: 9n };
const file: FileNode = { ...directory, type: 'file', mode: 0o644 };

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

  it.each<[string, string, readonly LayerEntry[]]>([
    ...IMPOSSIBLE,
    ['an absolute path', 'clean path', [{ path: '/a', node: file }]],
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
