import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { type Context, largeFiles, project, smallFiles, writeContext } from './contexts.ts';

test.each<[string, Context]>([
  ['a project', { name: 'a', dockerfile: 'FROM scratch\n', files: project(20) }],
  ['small files', { name: 'b', dockerfile: 'FROM scratch\n', files: smallFiles(250) }],
  ['large files', { name: 'c', dockerfile: 'FROM scratch\n', files: largeFiles(2) }],
])('%s are the same in every place', (_, context) => {
  const [one, two] = [join(tempDirectory(), 'one'), join(tempDirectory(), 'two')];
  writeContext(one, context);
  writeContext(two, context);
  expect(() => execFileSync('diff', ['-r', one, two])).not.toThrow();
});

test('small files are as many as were asked for', () => {
  const directory = join(tempDirectory(), 'context');
  writeContext(directory, { name: 'b', dockerfile: '', files: smallFiles(250) });
  const names = readdirSync(join(directory, 'tree'), { recursive: true, encoding: 'utf8' });
  expect(names.filter((name) => name.endsWith('.js'))).toHaveLength(250);
});

test('half of a large file can be compressed', () => {
  const directory = join(tempDirectory(), 'context');
  writeContext(directory, { name: 'c', dockerfile: '', files: largeFiles(24) });
  const bytes = readFileSync(join(directory, 'data', 'part-0'));
  expect(bytes).toHaveLength(24_000_000);
  const ratio = gzipSync(bytes).length / bytes.length;
  expect(ratio).toBeGreaterThan(0.55);
  expect(ratio).toBeLessThan(0.85);
});
