import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { expect, test } from 'vitest';
import { openDirectory } from '../../src/context/directory.ts';
import { parseIgnoreRules } from '../../src/context/dockerignore.ts';
import { rowReader } from '../../src/host/lstat.ts';
import { decodeName } from '../../src/host/path-bytes.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { describeTree } from '../helpers/trees.ts';

test('a directory is a tree of its files, owned by root, with their modes, links and times', () => {
  const root = tempDirectory();
  fs.mkdirSync(path.join(root, 'dir'));
  fs.writeFileSync(path.join(root, 'dir/file'), 'hello');
  fs.chownSync(path.join(root, 'dir/file'), 33, 34);
  fs.chmodSync(path.join(root, 'dir/file'), 0o4711);
  fs.utimesSync(path.join(root, 'dir/file'), 1, 1_000_000_000);
  fs.symlinkSync('/dir/../file', path.join(root, 'link'));
  execFileSync('mkfifo', ['-m', '600', path.join(root, 'pipe')]);
  const tree = openDirectory(root);
  expect(describeTree(tree)).toEqual([
    '-4711 0/0 5 dir/file',
    'd755 0/0 0 dir',
    'l777 0/0 0 link -> /dir/../file',
    'p600 0/0 0 pipe',
  ]);
  expect(tree.lookup('dir/file')).toMatchObject({
    mtime: 1_000_000_000_000_000_000n,
    content: { file: path.join(root, 'dir/file'), offset: 0, size: 5 },
  });
});

test('nothing is found through a link, nor below a file', () => {
  const root = tempDirectory();
  fs.symlinkSync('/etc', path.join(root, 'etc'));
  fs.writeFileSync(path.join(root, 'file'), '');
  const tree = openDirectory(root);
  expect(tree.lookup('etc/passwd')).toBeUndefined();
  expect(tree.lookup('file/x')).toBeUndefined();
  expect(tree.list('etc')).toEqual([]);
  expect(tree.list('file')).toEqual([]);
});

test('hard links share an inode, and lone files have none', () => {
  const root = tempDirectory();
  fs.writeFileSync(path.join(root, 'a'), '');
  fs.linkSync(path.join(root, 'a'), path.join(root, 'b'));
  fs.writeFileSync(path.join(root, 'c'), '');
  const tree = openDirectory(root);
  expect(tree.lookup('a')?.inode).toBe(tree.lookup('b')?.inode);
  expect(tree.lookup('a')?.inode).toBeDefined();
  expect(tree.lookup('c')?.inode).toBeUndefined();
});

test('names that are not text are kept byte for byte', () => {
  const root = tempDirectory();
  const bytes = Buffer.from([0x61, 0xff, 0x62]);
  fs.mkdirSync(Buffer.concat([Buffer.from(`${root}/`), bytes]));
  fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), bytes, Buffer.from('/f')]), 'x');
  const tree = openDirectory(root);
  expect(tree.list('')).toEqual([decodeName(bytes)]);
  expect(tree.lookup(`${decodeName(bytes)}/f`)?.size).toBe(1);
});

test('a socket is an empty file, as the engine has it', async () => {
  const root = tempDirectory();
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(path.join(root, 's'), resolve));
  const node = openDirectory(root).lookup('s');
  server.close();
  expect(node).toMatchObject({ type: 'file', size: 0, content: { bytes: new Uint8Array() } });
});

test('what was seen once is not looked at again', () => {
  const root = tempDirectory();
  fs.writeFileSync(path.join(root, 'a'), 'old');
  const tree = openDirectory(root);
  expect(tree.lookup('a')?.size).toBe(3);
  expect(tree.list('')).toEqual(['a']);
  fs.writeFileSync(path.join(root, 'a'), 'changed');
  fs.writeFileSync(path.join(root, 'b'), '');
  expect(tree.lookup('a')?.size).toBe(3);
  expect(tree.list('')).toEqual(['a']);
});

test('nodes found together are those that are found one by one, before or afterwards', () => {
  const root = tempDirectory();
  fs.mkdirSync(path.join(root, 'dir'));
  for (const name of ['a', 'b', 'c']) fs.writeFileSync(path.join(root, 'dir', name), name);
  const tree = openDirectory(root);
  const before = tree.lookup('dir/b');
  fs.writeFileSync(path.join(root, 'dir', 'b'), 'changed');
  const [a, b, c] = tree.nodes!('dir');
  expect(b).toBe(before);
  expect([a, c]).toEqual([tree.lookup('dir/a'), tree.lookup('dir/c')]);
  expect(tree.nodes!('')).toEqual([tree.lookup('dir')]);
  expect(tree.nodes!('dir/a')).toEqual([]);
});

test('what is said of all names at once is of the same moment as what was looked up alone', () => {
  const root = tempDirectory();
  for (const name of ['a', 'b', 'c']) fs.writeFileSync(path.join(root, name), name);
  const tree = openDirectory(root);
  const before = tree.lookup('b');
  expect(tree.lookup('d')).toBeUndefined();
  fs.writeFileSync(path.join(root, 'b'), 'changed');
  fs.writeFileSync(path.join(root, 'd'), 'new');
  const rows = tree.stats!('');
  const sizes = [0, 1, 2, 3].map((row) => rowReader()(rows, row).size);
  expect(sizes).toEqual([1, before!.size, 1, 0]);
  expect(tree.lookup('d')).toBeUndefined();
  fs.rmSync(path.join(root, 'a'));
  expect(tree.lookup('a')?.size).toBe(1);
  expect(tree.lookup('e')).toBeUndefined();
});

test('nodes and stats of what is not ignored are those of its names', () => {
  const root = tempDirectory();
  fs.mkdirSync(path.join(root, 'dir'));
  for (const name of ['a', 'b.tmp', 'dir/c', 'dir/d.tmp'])
    fs.writeFileSync(path.join(root, name), name);
  const tree = openDirectory(root, parseIgnoreRules('**/*.tmp'));
  for (const directory of ['', 'dir', 'dir/c', 'none']) {
    const names = tree.list(directory);
    const nodes = names.map((name) => tree.lookup(directory === '' ? name : `dir/${name}`));
    expect(tree.nodes!(directory)).toEqual(nodes);
    const rows = tree.stats!(directory);
    const modes = names.map((_, row) => rowReader()(rows, row).mode & 0o7777);
    expect(modes).toEqual(nodes.map((node) => node!.mode));
  }
  expect(tree.list('dir')).toEqual(['c']);
});

test('an excluded directory is not even opened, unless an exception may lie in it', () => {
  const root = tempDirectory();
  fs.mkdirSync(path.join(root, 'node_modules/a'), { recursive: true });
  fs.writeFileSync(path.join(root, 'node_modules/a/f'), '');
  const seen: string[] = [];
  const list = (rules: string) => {
    const tree = openDirectory(root, parseIgnoreRules(rules));
    seen.push(...describeTree(tree).map((line) => line.split(' ')[3]!));
    return seen.splice(0);
  };
  fs.chmodSync(path.join(root, 'node_modules'), 0o755);
  expect(list('node_modules')).toEqual([]);
  expect(list('node_modules\n!node_modules/a/f')).toEqual([
    'node_modules/a/f',
    'node_modules',
    'node_modules/a',
  ]);
});

test.each([
  ['a file', 'file'],
  ['nothing', 'missing'],
])('%s is no context', (_what, name) => {
  const root = tempDirectory();
  fs.writeFileSync(path.join(root, 'file'), '');
  expect(() => openDirectory(path.join(root, name))).toThrow(
    expect.objectContaining({ code: 'CONTEXT' }),
  );
});
