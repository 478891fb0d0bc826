import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { openDirectory } from '../../src/context/directory.ts';
import { areAsKnown, hashFiles, hashRanges } from '../../src/context/hash-files.ts';
import { openStatCache } from '../../src/context/stat-cache.ts';
import { inlineWorkers } from '../../src/host/workers.ts';
import type { FileNode } from '../../src/tree/file-tree.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const A = 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb';
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

test('hashing reads only what is not known, once, with or without workers', async () => {
  const root = tempDirectory();
  const names = Array.from({ length: 1500 }, (_, index) => `f${index}`);
  for (const name of names) fs.writeFileSync(path.join(root, name), 'a');
  const tree = openDirectory(root);
  const nodes = names.map((name) => tree.lookup(name)!);
  const batches: number[] = [];
  const task = (ranges: Parameters<typeof hashRanges>[0]) => {
    batches.push(ranges.length);
    return hashRanges(ranges);
  };
  await using workers = inlineWorkers({ 'context.hash': task as never });
  const cache = openStatCache(tempDirectory(), root);
  nodes[0]!.sha256 = EMPTY;
  await hashFiles(nodes, { workers, cache });
  expect(nodes.map(({ sha256 }) => sha256)).toEqual([EMPTY, ...names.slice(1).map(() => A)]);
  expect(batches.reduce((sum, count) => sum + count, 0)).toBe(1499);
});

test('large files, empty ones and ranges within a file have their own digests', () => {
  const root = tempDirectory();
  const file = path.join(root, 'f');
  fs.writeFileSync(file, Buffer.concat([Buffer.from('xa'), Buffer.alloc(3_000_000)]));
  expect(hashRanges([{ file, offset: 1, size: 1 }])).toEqual([A]);
  expect(hashRanges([{ file, offset: 7, size: 0 }])).toEqual([EMPTY]);
  const zeros = createHash('sha256').update(Buffer.alloc(3_000_000)).digest('hex');
  expect(hashRanges([{ file, offset: 2, size: 3_000_000 }])).toEqual([zeros]);
});

test.each([
  ['is gone', 'missing', 1],
  ['became shorter', 'short', 10],
])('a file that %s is an error that names it', (_what, name, size) => {
  const root = tempDirectory();
  fs.writeFileSync(path.join(root, 'short'), 'a');
  const range = { file: path.join(root, name), offset: 0, size };
  expect(() => hashRanges([range])).toThrow(
    expect.objectContaining({ code: 'CONTEXT', message: expect.stringContaining(name) }),
  );
});

test('files are as known if each of them, read again, has the digest that its node knows', async () => {
  const root = tempDirectory();
  fs.mkdirSync(path.join(root, 'directory'));
  for (const name of ['f', 'g']) fs.writeFileSync(path.join(root, name), 'a');
  const tree = openDirectory(root);
  const bytes: FileNode = { ...tree.lookup('f')!, content: { bytes: Buffer.from('b') } };
  const nodes = [tree.lookup('directory')!, tree.lookup('f')!, tree.lookup('g')!, bytes];
  expect(await areAsKnown(nodes)).toBe(false);
  await hashFiles(nodes.slice(1));
  expect(await areAsKnown(nodes)).toBe(true);
  // As it can be without anybody knowing: the file is of the same size and time.
  const { atime, mtime } = fs.statSync(path.join(root, 'g'));
  fs.writeFileSync(path.join(root, 'g'), 'b');
  fs.utimesSync(path.join(root, 'g'), atime, mtime);
  expect(await areAsKnown(nodes)).toBe(false);
  fs.rmSync(path.join(root, 'f'));
  await expect(areAsKnown(nodes)).rejects.toMatchObject({ code: 'CONTEXT' });
});
