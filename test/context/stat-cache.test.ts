import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { type HostNode, openDirectory } from '../../src/context/directory.ts';
import { openStatCache } from '../../src/context/stat-cache.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const A = 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb';
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const DAY = 86_400_000;
/** Later than any file of this test by more than any clock's tick. */
const LATER = () => Date.now() + 10_000;

function nodeOf(root: string, name: string): HostNode {
  return openDirectory(root).lookup(name) as HostNode;
}

function directories() {
  const root = tempDirectory();
  return { root, caches: path.join(tempDirectory(), 'contexts') };
}

test('what was learnt is found by another process, after a rename of the directory too', () => {
  const { root, caches } = directories();
  const context = path.join(root, 'before');
  fs.mkdirSync(context);
  fs.writeFileSync(path.join(context, 'f'), 'a');
  const first = openStatCache(caches, context);
  expect(first.get(nodeOf(context, 'f'))).toBeUndefined();
  first.set(nodeOf(context, 'f'), A, LATER());
  first.save();
  fs.renameSync(context, path.join(root, 'after'));
  const second = openStatCache(caches, path.join(root, 'after'));
  expect(second.get(nodeOf(path.join(root, 'after'), 'f'))).toBe(A);
});

test('another directory with the number of one that is gone has a file of its own', () => {
  const { root, caches } = directories();
  fs.writeFileSync(path.join(root, 'f'), 'a');
  const cache = openStatCache(caches, root);
  cache.set(nodeOf(root, 'f'), A, LATER());
  cache.save();
  const { dev, ino, birthtimeNs } = fs.statSync(root, { bigint: true });
  const name = [dev, ino, birthtimeNs].map((number) => number.toString(16)).join('-');
  expect(fs.readdirSync(caches)).toEqual([`${name}.stat`]);
});

test.each([
  ['other bytes of the same length', (file: string) => fs.writeFileSync(file, 'b')],
  ['a longer file', (file: string) => fs.appendFileSync(file, 'b')],
  ['another file of the same name', (file: string) => replace(file)],
  ['a new mode', (file: string) => fs.chmodSync(file, 0o600)],
])('%s: the file is read again', async (_what, change) => {
  const { root, caches } = directories();
  const file = path.join(root, 'f');
  fs.writeFileSync(file, 'a');
  const cache = openStatCache(caches, root);
  cache.set(nodeOf(root, 'f'), A, LATER());
  cache.save();
  expect(cache.get(nodeOf(root, 'f'))).toBe(A);
  const before = fs.statSync(file, { bigint: true }).ctimeNs;
  // Not a wait for time to pass: the change is made until the clock of the filesystem shows it.
  do change(file);
  while (fs.statSync(file, { bigint: true }).ctimeNs === before);
  expect(cache.get(nodeOf(root, 'f'))).toBeUndefined();
});

function replace(file: string): void {
  fs.writeFileSync(`${file}.new`, 'a');
  fs.renameSync(`${file}.new`, file);
}

test('a file that changed a moment before it was read is not trusted', () => {
  const { root, caches } = directories();
  fs.writeFileSync(path.join(root, 'f'), 'a');
  const node = nodeOf(root, 'f');
  const cache = openStatCache(caches, root);
  const changed = Number(node.identity.ctime / 1_000_000n);
  cache.set(node, A, changed);
  cache.save();
  expect(cache.get(node)).toBeUndefined();
  cache.set(node, A, changed + 10_000);
  cache.save();
  expect(cache.get(node)).toBe(A);
});

test('two builds that save add to what the other learnt', () => {
  const { root, caches } = directories();
  fs.writeFileSync(path.join(root, 'a'), 'a');
  fs.writeFileSync(path.join(root, 'b'), '');
  const [one, two] = [openStatCache(caches, root), openStatCache(caches, root)];
  one.set(nodeOf(root, 'a'), A, LATER());
  two.set(nodeOf(root, 'b'), EMPTY, LATER());
  one.save();
  two.save();
  const third = openStatCache(caches, root);
  expect([third.get(nodeOf(root, 'a')), third.get(nodeOf(root, 'b'))]).toEqual([A, EMPTY]);
});

test('what is not met for long is forgotten, what is in use is not', () => {
  const { root, caches } = directories();
  fs.writeFileSync(path.join(root, 'used'), 'a');
  fs.writeFileSync(path.join(root, 'gone'), '');
  const [used, gone] = [nodeOf(root, 'used'), nodeOf(root, 'gone')];
  let now = Date.now();
  const build = (work: (cache: ReturnType<typeof openStatCache>) => void) => {
    const cache = openStatCache(caches, root, () => now);
    work(cache);
    cache.save();
  };
  build((cache) => {
    cache.set(used, A, LATER());
    cache.set(gone, EMPTY, LATER());
  });
  now += 20 * DAY;
  build((cache) => cache.get(used));
  now += 20 * DAY;
  build((cache) => cache.get(used));
  const last = openStatCache(caches, root, () => now);
  expect([last.get(used), last.get(gone)]).toEqual([A, undefined]);
});

test.each([
  ['not one of ours', 'x'.repeat(1000)],
  ['empty', ''],
])('a file that is %s is an empty cache', (_what, text) => {
  const { root, caches } = directories();
  fs.writeFileSync(path.join(root, 'f'), 'a');
  openSaved(root, caches);
  const [name] = fs.readdirSync(caches);
  fs.writeFileSync(path.join(caches, name!), text);
  expect(openStatCache(caches, root).get(nodeOf(root, 'f'))).toBeUndefined();
});

test('a file that was cut short keeps its whole records', () => {
  const { root, caches } = directories();
  fs.writeFileSync(path.join(root, 'f'), 'a');
  openSaved(root, caches);
  const [name] = fs.readdirSync(caches);
  fs.appendFileSync(path.join(caches, name!), 'half a record');
  expect(openStatCache(caches, root).get(nodeOf(root, 'f'))).toBe(A);
});

function openSaved(root: string, caches: string): void {
  const cache = openStatCache(caches, root);
  cache.set(nodeOf(root, 'f'), A, LATER());
  cache.save();
}

test('records are found in any order, each time they are asked for', () => {
  const { root, caches } = directories();
  const digests = new Map(
    ['a', 'b', 'c', 'd'].map((name) => [name, createHash('sha256').update(name).digest('hex')]),
  );
  for (const name of digests.keys()) fs.writeFileSync(path.join(root, name), name);
  const first = openStatCache(caches, root);
  for (const [name, digest] of digests) first.set(nodeOf(root, name), digest, LATER());
  first.save();
  const second = openStatCache(caches, root);
  fs.writeFileSync(path.join(root, 'new'), 'n');
  for (const name of ['a', 'b', 'd', 'new', 'b', 'b', 'c', 'a'])
    expect(second.get(nodeOf(root, name))).toBe(digests.get(name));
});
