import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { openDirectory } from '../../src/context/directory.ts';
import { hashFiles, hashRanges, readAgain } from '../../src/context/hash-files.ts';
import { openStatCache } from '../../src/context/stat-cache.ts';
import { inlineWorkers } from '../../src/host/workers.ts';
import type { FileNode } from '../../src/tree/file-tree.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const A = 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb';
const B = createHash('sha256').update('b').digest('hex');
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

test('files that are read again are what their nodes know, or become that', async () => {
  const root = tempDirectory();
  fs.mkdirSync(path.join(root, 'directory'));
  for (const name of ['f', 'g']) fs.writeFileSync(path.join(root, name), 'a');
  fs.writeFileSync(path.join(root, 'empty'), '');
  const tree = openDirectory(root);
  const [directory, f, g, empty] = ['directory', 'f', 'g', 'empty'].map((n) => tree.lookup(n)!);
  const bytes: FileNode = { ...f!, content: { bytes: Buffer.from('b') } };
  const nodes = [directory!, f!, g!, bytes, empty!];
  await hashFiles([f!, g!, bytes]);
  const workers = inlineWorkers({ 'context.hash': hashRanges as never });
  expect(await readAgain(nodes, { workers })).toBe(true);
  fs.writeFileSync(path.join(root, 'g'), 'b');
  fs.rmSync(path.join(root, 'empty'));
  expect(await readAgain(nodes)).toBe(false);
  expect([f!.sha256, g!.sha256, bytes.sha256]).toEqual([A, B, B]);
  expect(await readAgain(nodes)).toBe(true);
  fs.rmSync(path.join(root, 'f'));
  expect(await readAgain(nodes)).toBe(false);
  await expect(readAgain(nodes, { signal: AbortSignal.abort() })).rejects.toThrow('aborted');
});

test('what has become a fifo or a link to elsewhere is not waited for, nor followed', async () => {
  const root = tempDirectory();
  fs.writeFileSync(path.join(root, 'f'), 'a');
  const node = openDirectory(root).lookup('f')!;
  await hashFiles([node]);
  fs.renameSync(path.join(root, 'f'), path.join(root, 'g'));
  fs.symlinkSync('g', path.join(root, 'f'));
  expect(await readAgain([node])).toBe(false);
  fs.rmSync(path.join(root, 'f'));
  execFileSync('mkfifo', [path.join(root, 'f')]);
  expect(await readAgain([node])).toBe(false);
});
