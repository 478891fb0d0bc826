import fs from 'node:fs';
import path from 'node:path';
import fastGlob from 'fast-glob';
import { describe, expect, test } from 'vitest';
import { openDirectory } from '../../src/context/directory.ts';
import { parseIgnoreRules } from '../../src/context/dockerignore.ts';
import { findNamesakes } from '../../src/context/namesakes.ts';
import { compileGlob } from '../../src/tree/glob.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

function directoryOf(...files: readonly string[]): string {
  const root = tempDirectory();
  for (const file of files) {
    fs.mkdirSync(path.join(root, path.dirname(file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), '');
  }
  return root;
}

describe('namesakes', () => {
  test('are files and directories of that name at any place, whatever its case', async () => {
    const root = directoryOf(
      'src/app/package.json',
      'Package.json',
      'lib/PACKAGE.JSON/x',
      'a/other',
    );
    expect([...(await findNamesakes(root, 'package.json'))].sort()).toEqual([
      'Package.json',
      'lib/PACKAGE.JSON',
      'src/app/package.json',
    ]);
  });

  test.each(['a*', '[id].ts', '(group)', '{a,b}', '!x', 'a+(b)', '.env', 'ä ö'])(
    'of %j are no others than those with that name',
    async (name) => {
      const root = directoryOf(`deep/${name}`, 'a1', 'i.ts', 'group', 'a', 'b', 'x', 'ab', 'env');
      expect(await findNamesakes(root, name)).toEqual([`deep/${name}`]);
    },
  );

  test('are not looked for in histories and dependencies, nor through links', async () => {
    const root = directoryOf('.git/a', 'node_modules/p/a', 'sub/node_modules/p/a', 'real/a');
    fs.symlinkSync('real', path.join(root, 'link'));
    fs.symlinkSync('..', path.join(root, 'real/loop'));
    expect(await findNamesakes(root, 'a')).toEqual(['real/a']);
  });

  test('are looked for no longer, deeper or in greater number than is worth a hint', async () => {
    const root = directoryOf('1/a', '2/a', '3/a', '4/5/6/a');
    expect(await findNamesakes(root, 'a', { depth: 2 })).toHaveLength(3);
    expect(await findNamesakes(root, 'a', { count: 2 })).toHaveLength(2);
    expect(await findNamesakes(root, 'a', { signal: AbortSignal.abort() })).toEqual([]);
  });

  test('of a context are none that .dockerignore hides', async () => {
    const root = directoryOf('hidden/a', 'shown/a');
    const tree = openDirectory(root, parseIgnoreRules('hidden\n'));
    expect(await tree.findNamesakes!('a')).toEqual(['shown/a']);
    expect(await openDirectory(root).findNamesakes!('a')).toHaveLength(2);
  });
});

/** Go's answers, which COPY's are, are in the first column. */
test.each<[string, string, boolean, boolean]>([
  ['{a,b}', 'a', false, true],
  ['a**', 'a/b', false, false],
  ['**/a', 'a', false, true],
  ['*', '.env', true, false],
  ['[!a]', 'b', false, true],
  ['@(a)', 'a', false, true],
])(
  'COPY %s: fast-glob has another opinion of %s, which is why the patterns are our own',
  (pattern, name, ours, theirs) => {
    const root = directoryOf(name);
    expect(compileGlob(pattern)!.test(name)).toBe(ours);
    expect(fastGlob.sync(pattern, { cwd: root }).includes(name)).toBe(theirs);
  },
);
