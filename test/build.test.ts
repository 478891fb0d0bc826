import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
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
