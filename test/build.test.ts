import {
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { performBuild } from '../src/build.ts';
import { startOperation } from '../src/operation.ts';
import { tarOf } from './helpers/archives.ts';
import { testRegistry } from './helpers/registry-client.ts';
import { tempDirectory } from './helpers/temp-directory.ts';

let unhandled: unknown[];
const note = (error: unknown): void => void unhandled.push(error);
let others: NodeJS.UnhandledRejectionListener[];
beforeEach(() => {
  unhandled = [];
  others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', note);
});
afterEach(() => {
  process.removeAllListeners('unhandledRejection');
  for (const other of others) process.on('unhandledRejection', other);
});

test('a store that cannot be made is told by the build alone, however long its planning takes', async () => {
  const registry = await testRegistry();
  const context = tempDirectory();
  writeFileSync(join(context, 'Dockerfile'), `FROM ${registry.host}/nosuch\n`);
  const home = join(context, 'home');
  symlinkSync('/nosuch/home', home);
  const options = { context, home, env: { HOME: context } };
  const build = startOperation((operation) => performBuild(options, operation));
  await expect(build).rejects.toThrow();
  expect(unhandled).toEqual([]);
});

test('a context that holds no Dockerfile leaves nothing in the store', async () => {
  const home = tempDirectory();
  const stdin = Readable.from([tarOf([{ name: 'other', content: 'text' }])]);
  const options = { context: '-', home, stdin, env: {} };
  const build = startOperation((operation) => performBuild(options, operation));
  await expect(build).rejects.toMatchObject({ code: 'CONTEXT' });
  expect(readdirSync(join(home, 'tmp'))).toEqual([]);
});

/** Bytes that this process, whose only test file this is, has read and written by now (proc(5), "/proc/pid/io"). */
function moved(): { read: number; written: number } {
  const text = readFileSync('/proc/self/io', 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)![1]);
  return { read: field('rchar'), written: field('wchar') };
}

test('a COPY whose files are what they were reads none of them, and writes nothing; without cache it reads them', async () => {
  const size = 64 * 1024 * 1024;
  const context = tempDirectory();
  const home = tempDirectory();
  mkdirSync(join(context, 'data'));
  writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY first /\nCOPY data /data\n');
  writeFileSync(join(context, 'data/large'), Buffer.alloc(size, 'text'));
  const build = async (first: string, more: { noCache?: boolean } = {}) => {
    writeFileSync(join(context, 'first'), first);
    const before = moved();
    const options = { context, home, env: {}, ...more };
    const { digest, steps } = await startOperation((each) => performBuild(options, each));
    const { read, written } = moved();
    const manifest = readFileSync(join(home, 'content/blobs/sha256', digest.slice(7)), 'utf8');
    return {
      copied: JSON.parse(manifest).layers[1].digest,
      cached: steps.cached,
      read: read - before.read >= size,
      written: written - before.written >= size,
    };
  };
  const one = await build('0');
  expect(one).toMatchObject({ read: true, written: true });
  // What was written a moment before it was read is read once more, and known from then on.
  await build('1');
  expect(await build('2')).toEqual({ ...one, read: false, written: false });
  expect(await build('3', { noCache: true })).toEqual({ ...one, read: true, written: false });
  writeFileSync(join(context, 'data/large'), Buffer.alloc(size, 'next'));
  const other = await build('4', { noCache: true });
  expect(other).toEqual({ ...one, copied: other.copied });
  expect(other.copied).not.toBe(one.copied);
  // An index is a help, not a condition.
  const layers = join(home, 'layers');
  for (const name of readdirSync(layers)) truncateSync(join(layers, name), 10);
  expect(await build('5')).toEqual(other);
});
