import { expect, test } from 'vitest';
import type { FileTree } from '../../src/tree/file-tree.ts';
import { hintElsewhere } from '../../src/tree/missing.ts';
import { filesOf } from '../helpers/trees.ts';

const PLACES = ['web/src/package.json', 'package.json.d/Package.json', 'api/package.json', 'b/api'];
const files = filesOf(Object.fromEntries(PLACES.map((path) => [path, ''])));
const tree: FileTree = {
  lookup: (path) => files.lookup(path),
  list: (path) => files.list(path),
  findNamesakes: async (name) =>
    PLACES.filter((path) => path.toLowerCase().endsWith(`/${name.toLowerCase()}`)),
};

test.each<[string, string | undefined]>([
  ['package.json', 'Did you mean api/package.json?'],
  ['./src/package.json', 'Did you mean web/src/package.json?'],
  ['/x/Package.json', 'Did you mean package.json.d/Package.json?'],
  ['src/api/*.json', 'Did you mean b/api?'],
  ['nothing', undefined],
  ['api/package.json', undefined],
  ['api/*.json', undefined],
  ['*.json', undefined],
])('in place of %s there is: %s', async (word, hint) => {
  expect(await hintElsewhere(tree, word)).toBe(hint);
});

test('a tree that cannot look for names quickly gives no hint', async () => {
  expect(await hintElsewhere(files, 'package.json')).toBeUndefined();
});
