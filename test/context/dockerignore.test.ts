import fs from 'node:fs';
import path from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openDirectory } from '../../src/context/directory.ts';
import { parseIgnoreRules, readIgnoreRules, whyIgnored } from '../../src/context/dockerignore.ts';
import { filterTree } from '../../src/tree/filter.ts';
import { walkTree } from '../../src/tree/select.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { filesOf } from '../helpers/trees.ts';

const fixtures = path.join(import.meta.dirname, '../../fixtures/dockerignore');
const read = (name: string) => JSON.parse(fs.readFileSync(path.join(fixtures, name), 'utf8'));
const { files } = read('cases.json') as { files: string[] };
const answers = read('engine.json') as { text: string; left: string[] | null }[];
const context = filesOf(Object.fromEntries([...files, '.dockerignore'].map((name) => [name, ''])));

/** What is left of the context, directories with a slash. */
function leftBy(text: string): string[] {
  const view = filterTree(context, { exclude: parseIgnoreRules(text).patterns });
  return walkTree(view)
    .map(({ path, node }) => (node.type === 'directory' ? `${path}/` : path))
    .sort();
}

describe('matching, as recorded from a Docker Engine', () => {
  test.each(answers)('$text', ({ text, left }) => {
    if (left === null)
      expect(() => leftBy(text)).toThrow(expect.objectContaining({ code: 'CONTEXT' }));
    else expect(leftBy(text)).toEqual(left);
  });
});

describe('rules', () => {
  test('of <Dockerfile>.dockerignore count instead of .dockerignore, even if there are none in it', () => {
    const directory = tempDirectory();
    const dockerfile = path.join(directory, 'Dockerfile');
    fs.writeFileSync(path.join(directory, '.dockerignore'), 'a\n');
    expect(readIgnoreRules(directory, dockerfile)?.patterns).toHaveLength(1);
    fs.writeFileSync(`${dockerfile}.dockerignore`, '');
    expect(readIgnoreRules(directory, dockerfile)?.patterns).toHaveLength(0);
    expect(readIgnoreRules(directory)?.patterns).toHaveLength(1);
  });

  test('are absent without a file, and for a directory of that name', () => {
    const directory = tempDirectory();
    expect(readIgnoreRules(directory)).toBeUndefined();
    fs.mkdirSync(path.join(directory, '.dockerignore'));
    expect(readIgnoreRules(directory)).toBeUndefined();
  });

  test('that are malformed are refused with their line', () => {
    expect(() => parseIgnoreRules('a\n\n[\n')).toThrow(
      expect.objectContaining({
        code: 'CONTEXT',
        location: expect.objectContaining({ line: 3, lineText: '[' }),
      }),
    );
  });

  test.each([
    ['a', 'a', 1],
    ['x\ndir\n', 'dir/sub/a', 2],
    ['*\n!dir\n**/a', 'dir/a', 3],
    ['dir\n!dir/a', 'dir/a', undefined],
    ['x', 'a', undefined],
  ])('%j hides %s by line %s', (text, file, line) => {
    expect(whyIgnored(parseIgnoreRules(text), file)?.line).toBe(line);
  });

  test('never crash or hang, whatever they hold', () => {
    const character = fc.constantFrom(...'ab*?[]^!-\\/. \n#{}()|+$d');
    fc.assert(
      fc.property(fc.string({ unit: character, maxLength: 24 }), (text) => {
        try {
          leftBy(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'CONTEXT' });
        }
      }),
      { numRuns: 500 },
    );
  });
});

test('a file that a rule hides is not found, and the error names the rule', () => {
  const directory = tempDirectory();
  fs.writeFileSync(path.join(directory, 'secret'), '');
  fs.writeFileSync(path.join(directory, '.dockerignore'), '# keep out\nsecret\n');
  const tree = openDirectory(directory, readIgnoreRules(directory));
  expect(tree.lookup('secret')).toBeUndefined();
  expect(tree.whyMissing?.('secret')).toMatch(/^Line 2 of \.dockerignore excludes it: secret/);
  expect(tree.whyMissing?.('nothing')).toBeUndefined();
});
