import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { LayerEntry } from '../../src/layer/layer.ts';
import { scanLayer } from '../../src/layer/scan.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { END, file, header, pax } from '../tar/raw-tar.ts';

function scan(...parts: Buffer[]): LayerEntry[] {
  const tar = join(tempDirectory(), 'layer.tar');
  const bytes = Buffer.concat([...parts, END]);
  writeFileSync(tar, bytes);
  const quick = [...scanLayer(tar)];
  expect([...scanLayer(tar, digestOf(bytes))]).toEqual(quick);
  return quick;
}

/** `path`, `path (deleted)`, `path (opaque)`. */
function summary(entries: readonly LayerEntry[]): string[] {
  return entries.map(
    (entry) => entry.path + ('whiteout' in entry ? ' (deleted)' : entry.opaque ? ' (opaque)' : ''),
  );
}

const directory = (name: string) => header({ name, type: '5', mode: '0000700\0' });
const symlink = (name: string, link: string) => header({ name, type: '2', link });
const hardLink = (name: string, link: string) => header({ name, type: '1', link });

describe('a layer', () => {
  test('has the paths of its tar, however they are written', () => {
    expect(
      summary(
        scan(directory('./'), file('/etc/passwd', 'x'), file('./usr//bin/x', ''), directory('a/')),
      ),
    ).toEqual(['', 'etc/passwd', 'usr/bin/x', 'a']);
  });

  test('keeps the later of two entries of one path', () => {
    const [, entry] = scan(directory('d/'), file('d/a', 'old'), file('d/a', 'newer'));
    expect(entry).toMatchObject({ path: 'd/a', node: { size: 5 } });
    expect(
      scan(directory('d/'), file('d/a', ''), header({ name: 'd/', type: '5', mode: '0000755\0' })),
    ).toMatchObject([{ path: 'd', node: { mode: 0o755 } }, { path: 'd/a' }]);
  });

  test('has hard links with all of their target', () => {
    const [a, b, c] = scan(file('a', 'hello'), hardLink('b', './a'), hardLink('c', '/b'));
    expect(b).toEqual({ ...a, path: 'b' });
    expect(c).toEqual({ ...a, path: 'c' });
    expect(a).toMatchObject({
      node: { inode: expect.any(String), size: 5, content: { offset: 512 } },
    });
  });

  test('may hard-link symlinks and devices, and a path to itself', () => {
    const [, b, , d] = scan(
      symlink('a', 'x'),
      hardLink('b', 'a'),
      header({ name: 'c', type: '3', major: '0000001\0' }),
      hardLink('d', 'c'),
    );
    expect(b).toMatchObject({ node: { type: 'symlink', linkTarget: 'x' } });
    expect(d).toMatchObject({ node: { type: 'char', device: { major: 1, minor: 0 } } });
    expect(summary(scan(file('a', ''), hardLink('a', 'a')))).toEqual(['a']);
  });

  test('reads deletions', () => {
    expect(
      summary(
        scan(
          file('.wh.top', ''),
          file('d/.wh.gone', ''),
          directory('e/'),
          file('e/.wh..wh..opq', ''),
        ),
      ),
    ).toEqual(['top (deleted)', 'd/gone (deleted)', 'e (opaque)']);
  });

  test('a directory that is only marked as opaque is implicit, unless it was deleted and made anew', () => {
    const mark = file('d/.wh..wh..opq', '');
    expect(scan(mark, file('d/a', ''))).toMatchObject([{ path: 'd', implicit: true }, {}]);
    for (const parts of [
      [mark, directory('d/')],
      [directory('d/'), mark],
      [file('.wh.d', ''), mark],
      [mark, file('.wh.d', '')],
    ])
      expect(scan(...parts)).toEqual([{ path: 'd', opaque: true, node: expect.anything() }]);
  });

  test('an opaque mark may come before or without its directory', () => {
    expect(summary(scan(file('d/.wh..wh..opq', ''), directory('d/')))).toEqual(['d (opaque)']);
    expect(scan(file('d/.wh..wh..opq', ''))).toMatchObject([
      { path: 'd', opaque: true, node: { type: 'directory', mode: 0o755 } },
    ]);
    expect(summary(scan(file('.wh..wh..opq', '')))).toEqual([' (opaque)']);
  });

  test.each([
    ['before', [file('.wh.d', ''), directory('d/'), file('d/new', '')]],
    ['after', [directory('d/'), file('d/new', ''), file('.wh.d', '')]],
  ])('a whiteout deletes only what lies below: %s what the layer has itself', (_, parts) => {
    expect(summary(scan(...parts)).sort()).toEqual(['d (opaque)', 'd/new']);
  });

  test.each([
    ['before', [file('.wh.d', ''), file('d/new', '')]],
    ['after', [file('d/new', ''), file('.wh.d', '')]],
  ])('the same for a directory that the tar does not list: %s', (_, parts) => {
    expect(summary(scan(...parts)).sort()).toEqual(['d (opaque)', 'd/new']);
  });

  test('a whiteout of a file that the layer has too is nothing', () => {
    expect(summary(scan(file('a', 'x'), file('.wh.a', '')))).toEqual(['a']);
    expect(summary(scan(file('.wh.a', ''), file('a', 'x')))).toEqual(['a']);
  });

  test('ignores what AUFS kept for itself', () => {
    const parts = [
      directory('.wh..wh.plnk/'),
      file('.wh..wh.plnk/12.34', 'x'),
      file('.wh..wh.aufs', ''),
      file('a', ''),
    ];
    expect(summary(scan(...parts))).toEqual(['a']);
  });
});

describe('a hostile layer is refused', () => {
  test.each([
    ['name-escapes', [file('../etc/passwd', 'x')], '"../etc/passwd": it leads out'],
    [
      'name-escapes-inside',
      [file('a/../../etc/passwd', 'x')],
      '"a/../../etc/passwd": it leads out',
    ],
    ['name-escapes-in-pax', [pax([['path', '../x']]), file('fine', 'x')], '"../x": it leads out'],
    [
      'hardlink-escapes',
      [hardLink('a', '../../etc/shadow')],
      '"a": its link target "../../etc/shadow" leads out',
    ],
    [
      'hardlink-to-host',
      [hardLink('a', '/etc/shadow')],
      '"a": it is a hard link to "etc/shadow", which does not come before it',
    ],
    [
      'hardlink-to-later',
      [hardLink('a', 'b'), file('b', '')],
      '"a": it is a hard link to "b", which does not',
    ],
    [
      'hardlink-to-deleted',
      [file('.wh.b', ''), hardLink('a', 'b')],
      '"a": it is a hard link to "b", which does not',
    ],
    [
      'hardlink-to-directory',
      [directory('b/'), hardLink('a', 'b')],
      '"a": it is a hard link to a directory',
    ],
    [
      'write-through-symlink',
      [symlink('a', '/etc'), file('a/passwd', 'x')],
      '"a/passwd": it lies below "a", which is a symlink',
    ],
    [
      'write-through-deep-symlink',
      [symlink('a', '/'), file('a/etc/ssh/x', 'x')],
      '"a/etc/ssh/x": it lies below "a", which is a symlink',
    ],
    [
      'directory-through-symlink',
      [symlink('a', '/'), directory('a/b/')],
      '"a/b": it lies below "a", which is a symlink',
    ],
    [
      'delete-through-symlink',
      [symlink('a', '/'), file('a/.wh.b', '')],
      '"a/b": it lies below "a", which is a symlink',
    ],
    [
      'symlink-over-full-directory',
      [file('a/b', ''), symlink('a', '/etc')],
      '"a": it replaces a directory that is not empty',
    ],
    [
      'entry-below-file',
      [file('a', ''), file('a/b', '')],
      '"a/b": it lies below "a", which is a file',
    ],
    [
      'opaque-mark-in-file',
      [file('a', ''), file('a/.wh..wh..opq', '')],
      '"a/.wh..wh..opq": it marks what is not a directory',
    ],
    ['root-is-a-symlink', [symlink('.', '/etc')], '"": it replaces a directory'],
    ['whiteout-of-nothing', [file('a/.wh.', '')], '"a/.wh.": it is a whiteout of no name'],
    ['whiteout-of-dot', [file('a/.wh..', '')], '"a/.wh..": it is a whiteout of no name'],
    ['whiteout-of-parent', [file('a/.wh...', '')], '"a/.wh...": it is a whiteout of no name'],
    [
      'file-below-whiteout',
      [directory('.wh.a/'), file('.wh.a/b', '')],
      '".wh.a/b": it lies below a whiteout',
    ],
    [
      'sparse',
      [
        pax([
          ['GNU.sparse.map', '0,1'],
          ['GNU.sparse.size', '9'],
        ]),
        file('s', 'x'),
      ],
      '"s": sparse files are not supported',
    ],
  ])('%s', (_, parts, message) => {
    expect(() => scan(...parts)).toThrow(
      expect.objectContaining({ code: 'ARCHIVE', message: expect.stringContaining(message) }),
    );
  });

  test('when its digest is another', () => {
    const tar = join(tempDirectory(), 'layer.tar');
    writeFileSync(tar, Buffer.concat([file('a', 'x'), END]));
    expect(() => scanLayer(tar, digestOf('something else'))).toThrow(
      expect.objectContaining({ code: 'DIGEST_MISMATCH' }),
    );
  });
});

test('a missing tar is an error of the store', () => {
  expect(() => scanLayer(join(tempDirectory(), 'none'))).toThrow(
    expect.objectContaining({ code: 'STORE' }),
  );
});
