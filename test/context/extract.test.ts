/** Archives that ADD lays out. Where an engine was asked, it does the same, `.wh.` names apart, which layers reserve. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openArchive } from '../../src/context/archive.ts';
import { archiveTree, extractArchive } from '../../src/context/extract.ts';
import { DraftTree } from '../../src/tree/draft-tree.ts';
import { EMPTY_TREE, type FileTree } from '../../src/tree/file-tree.ts';
import { readTreeFile } from '../../src/tree/read-file.ts';
import { type HandMadeEntry, tarOf } from '../helpers/archives.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { describeTree, treeOf } from '../helpers/trees.ts';

async function open(bytes: Buffer) {
  const directory = tempDirectory();
  const file = path.join(directory, 'archive');
  fs.writeFileSync(file, bytes);
  return openArchive({ file, offset: 0, size: bytes.length }, directory);
}

interface Options {
  readonly base?: FileTree;
  readonly directory?: string;
  readonly owner?: { uid: number; gid: number };
}

async function extract(
  entries: readonly HandMadeEntry[],
  options: Options = {},
): Promise<string[]> {
  const target = new DraftTree(options.base ?? EMPTY_TREE);
  const { directory = 'o', owner } = options;
  target.makeDirectory(directory, { mode: 0o755, uid: 0, gid: 0, mtime: 0n });
  const archive = (await open(tarOf(entries)))!;
  extractArchive(archive, { target, directory, owner, mtime: 0n, item: 0 });
  return describeTree(target).filter((line) => line !== `d755 0/0 0 ${directory}`);
}

const link = (name: string, linkName: string): HandMadeEntry => ({
  name,
  linkName,
  type: 'symlink',
  mode: 0o777,
});
const hardLink = (name: string, linkName: string): HandMadeEntry => ({
  name,
  linkName,
  type: 'link',
});
const file = (name: string, content = 'x'): HandMadeEntry => ({ name, content });
const directory = (name: string, mode = 0o755): HandMadeEntry => ({ name: `${name}/`, mode });

describe('an archive that is laid out', () => {
  test.each<[string, HandMadeEntry[], string[]]>([
    [
      'keeps owners and modes',
      [{ name: 'a', content: 'xy', uid: 5, gid: 6, mode: 0o6755 }, directory('d', 0o700)],
      ['-6755 5/6 2 o/a', 'd700 0/0 0 o/d'],
    ],
    ['has no say about the destination itself', [directory('.', 0o700)], []],
    [
      'gets the directories that it does not list',
      [file('m/n/z')],
      ['-644 0/0 1 o/m/n/z', 'd755 0/0 0 o/m', 'd755 0/0 0 o/m/n'],
    ],
    [
      'loses the slash before absolute names',
      [file('/abs/a')],
      ['-644 0/0 1 o/abs/a', 'd755 0/0 0 o/abs'],
    ],
    ['may take a step back', [file('x/../abs')], ['-644 0/0 1 o/abs']],
    [
      'goes through its own links',
      [directory('t'), link('l', 't'), file('l/z')],
      ['-644 0/0 1 o/t/z', 'd755 0/0 0 o/t', 'l777 0/0 0 o/l -> t'],
    ],
    [
      'takes the destination for the root of absolute links',
      [link('l', '/etc'), file('l/z')],
      ['-644 0/0 1 o/etc/z', 'd755 0/0 0 o/etc', 'l777 0/0 0 o/l -> /etc'],
    ],
    [
      'may hold links that lead out, and no file behind them',
      [link('l', '../../etc/passwd'), link('m', '/etc/passwd')],
      ['l777 0/0 0 o/l -> ../../etc/passwd', 'l777 0/0 0 o/m -> /etc/passwd'],
    ],
    [
      'replaces a link by the file of its name',
      [link('l', '/etc/passwd'), file('l')],
      ['-644 0/0 1 o/l'],
    ],
    ['has the last of two entries of a name', [file('a'), file('a', 'xyz')], ['-644 0/0 3 o/a']],
    ['replaces a directory with all in it by a file', [file('d/a'), file('d')], ['-644 0/0 1 o/d']],
    [
      'has hard links',
      [file('a', 'xy'), hardLink('b', 'a'), hardLink('c', './b')],
      ['-644 0/0 2 o/a', '-644 0/0 2 o/b', '-644 0/0 2 o/c'],
    ],
    [
      'has pipes and devices',
      [
        { name: 'f', type: 'fifo' },
        { name: 'n', type: 'char', device: { major: 1, minor: 3 } },
      ],
      ['c644 0/0 0 o/n', 'p644 0/0 0 o/f'],
    ],
  ])('%s', async (_what, entries, expected) => {
    expect(await extract(entries)).toEqual(expected);
  });

  test.each<[string, HandMadeEntry[]]>([
    ['a name that leads out', [file('../a')]],
    ['a name that leads out after a detour', [file('x/../../a')]],
    ['a way up through a link', [link('l', '../../..'), file('l/z')]],
    ['a hard link up through a link', [link('l', '../etc'), hardLink('b', 'l/passwd')]],
    ['a hard link to outside', [file('a'), hardLink('b', '../../etc/passwd')]],
    ['a hard link to nothing', [hardLink('b', 'a')]],
    ['a hard link to a directory', [directory('d'), hardLink('b', 'd')]],
    ['an entry below a file', [file('a'), file('a/b')]],
    ['a loop of links on the way', [link('l', 'l'), file('l/a')]],
  ])('is refused for %s', async (_what, entries) => {
    await expect(extract(entries)).rejects.toMatchObject({
      code: expect.stringMatching(/^(ARCHIVE|COPY_SOURCE)$/),
    });
  });

  test('belongs to --chown, but for directories that it does not list', async () => {
    const lines = await extract([{ ...file('m/z'), uid: 9 }], { owner: { uid: 3, gid: 4 } });
    expect(lines).toEqual(['-644 3/4 1 o/m/z', 'd755 0/0 0 o/m']);
  });

  test('lies over the files of the image: directories are merged, all else is replaced', async () => {
    const base = treeOf([
      '-644 0/0 1 dir/kept',
      'd700 5/6 0 dir',
      '-644 7/8 2 file',
      'l777 0/0 0 link -> /dir',
    ]);
    const lines = await extract(
      [
        directory('dir', 0o711),
        directory('file'),
        file('file/z'),
        directory('link'),
        file('link/z'),
      ],
      { base, directory: '' },
    );
    expect(lines).toEqual([
      '-644 0/0 1 dir/kept',
      '-644 0/0 1 file/z',
      '-644 0/0 1 link/z',
      'd711 0/0 0 dir',
      'd755 0/0 0 file',
      'd755 0/0 0 link',
    ]);
  });

  test('links hard to a file of the image, which then belongs to whom the archive says', async () => {
    const base = treeOf(['-644 7/8 2 file']);
    expect(await extract([hardLink('b', 'file')], { base, directory: '' })).toEqual([
      '-644 0/0 2 b',
      '-644 0/0 2 file',
    ]);
  });
});

describe('a file is an archive', () => {
  const tar = tarOf([file('a', 'hello')]);
  const compressed = (program: string) => execFileSync(program, ['-c'], { input: tar });

  test.each([
    ['plain', () => tar],
    ['by gzip', () => compressed('gzip')],
    ['by bzip2', () => compressed('bzip2')],
    ['by xz', () => compressed('xz')],
    ['by zstd', () => compressed('zstd')],
  ])('%s', async (_how, bytes) => {
    const tree = archiveTree((await open(bytes()))!);
    expect(readTreeFile(tree.lookup('a')!, 100).toString()).toBe('hello');
  });

  test('when it is a range of another file', async () => {
    const directory = tempDirectory();
    const whole = path.join(directory, 'whole');
    fs.writeFileSync(whole, Buffer.concat([Buffer.from('before'), tar, Buffer.from('after')]));
    const archive = await openArchive({ file: whole, offset: 6, size: tar.length }, directory);
    expect(describeTree(archiveTree(archive!))).toEqual(['-644 0/0 5 a']);
    expect(await openArchive({ bytes: tar }, directory)).toBeDefined();
  });

  test.each([
    ['it is empty', Buffer.alloc(0)],
    ['it holds text', Buffer.from('FROM scratch\n')],
    ['it is a tar without entries', tarOf([])],
    ['it is zeros', Buffer.alloc(100)],
    ['it is a compressed text', execFileSync('gzip', ['-c'], { input: 'hi' })],
    ['it only begins like gzip', Buffer.from([0x1f, 0x8b, 8, 1, 2, 3])],
  ])('not when %s', async (_what, bytes) => {
    expect(await open(bytes)).toBeUndefined();
  });

  test('and an error if it is cut off after its first entry', async () => {
    const long = tarOf([file('a'), { name: 'b', content: Buffer.alloc(100_000, 'xyz') }]);
    const archive = await open(long.subarray(0, 50_000));
    expect(() => archiveTree(archive!)).toThrow(expect.objectContaining({ code: 'ARCHIVE' }));
    const gzipped = execFileSync('gzip', ['-c'], {
      input: tarOf([file('a', 'y'), { name: 'b', content: randomBytes(200_000) }]),
    });
    await expect(open(gzipped.subarray(0, 100_000))).rejects.toMatchObject({ code: 'ARCHIVE' });
  });
});
