/** `COPY --parents` as Docker's reference describes it: https://docs.docker.com/reference/dockerfile/#copy---parents. */
import { describe, expect, test } from 'vitest';
import { parseDockerfile } from '../../src/dockerfile/parse.ts';
import { planCopy } from '../../src/scheduler/copy-plan.ts';
import { selectCopy } from '../../src/scheduler/copy-select.ts';
import { EMPTY_TREE, type FileTree } from '../../src/tree/file-tree.ts';
import { describeNode, filesOf, treeOf } from '../helpers/trees.ts';

const EXAMPLES = filesOf({
  'x/a.txt': '',
  'x/y/a.txt': '',
  'x/y/b.txt': '',
  'y/a.txt': '',
  'src/a.txt': '',
  'src/b.md': '',
  'src/x/b.txt': '',
  'src/x/y/c.txt': '',
  'src/empty/': '',
});

interface Taken {
  readonly tree?: FileTree;
  readonly exclude?: readonly string[];
}

function copied(words: string, { tree = EXAMPLES, exclude = [] }: Taken = {}) {
  const sources = words
    .split(' ')
    .map((word) => ({ type: 'word', tree, word, unpack: false }) as const);
  const items = selectCopy({ sources, exclude, parents: true });
  const destination = { base: EMPTY_TREE, path: '/o/', workdir: '/', createdTime: 0n };
  return planCopy(items, destination).flatMap((input) => ('node' in input ? [input] : []));
}

/** Below the destination, files and empty directories alone. */
function leaves(words: string, taken: Taken = {}): string[] {
  const paths = copied(words, taken).map(({ path }) => path);
  const isParent = (path: string) => paths.some((other) => other.startsWith(`${path}/`));
  return paths.filter((path) => !isParent(path)).map((path) => path.slice('o/'.length));
}

describe('what is kept of the path of a source', () => {
  test.each([
    ['all, of each source', './x/a.txt ./y/a.txt', ['x/a.txt', 'y/a.txt']],
    ['all, of an absolute one', '/x/a.txt', ['x/a.txt']],
    ['what stands behind /./', './x/./y/*.txt', ['y/a.txt', 'y/b.txt']],
    ['what stands behind /./ of an absolute one', '/x/./y/a.txt', ['y/a.txt']],
    ['what stands behind the first /./', 'src/./x/./y/c.txt', ['x/y/c.txt']],
    ['each behind its own /./', 'x/./y/a.txt src/x/./y/c.txt', ['y/a.txt', 'y/c.txt']],
    ['all, where ./ is only the beginning', '././x/a.txt', ['x/a.txt']],
    ['what lies in a directory behind which /./ ends', 'src/x/./', ['b.txt', 'y/c.txt']],
    ['nothing, behind wildcards', 's*/./b.md', ['b.md']],
    ['a directory, and what lies in it', 'src/x', ['src/x/b.txt', 'src/x/y/c.txt']],
    ['an empty directory', 'src/empty', ['src/empty']],
  ])('is %s', (_, words, expected) => {
    expect(leaves(words)).toEqual(expected);
  });
});

describe('wildcards', () => {
  test.each([
    ['src/*.txt', ['src/a.txt']],
    ['src/**/*.txt', ['src/a.txt', 'src/x/b.txt', 'src/x/y/c.txt']],
    ['**/c.txt', ['src/x/y/c.txt']],
    ['src/**/y', ['src/x/y/c.txt']],
    ['src/./**/c.txt', ['x/y/c.txt']],
    ['*/a.txt', ['src/a.txt', 'x/a.txt', 'y/a.txt']],
    ['?/[a-b].txt', ['x/a.txt', 'y/a.txt']],
    ['src/**/none', []],
  ])('%s', (word, expected) => {
    expect(leaves(word).filter(Boolean)).toEqual(expected);
  });

  test('find no file that is named outright missing, and something that is', () => {
    expect(() => leaves('x/*.none')).not.toThrow();
    for (const word of ['x/none', 'none/./x', 'x/./none'])
      expect(() => leaves(`x/a.txt ${word}`)).toThrow(
        expect.objectContaining({ code: 'COPY_SOURCE' }),
      );
  });
});

describe('--exclude', () => {
  test.each([
    ['src', ['src/x'], ['src/a.txt', 'src/b.md', 'src/empty']],
    ['src/**/*.txt', ['**/b.txt'], ['src/a.txt', 'src/x/y/c.txt']],
    ['src/**', ['src/*', '!src/b.md'], ['src/b.md']],
    // Paths begin where those that are kept do.
    ['src/./x', ['x/y'], ['x/b.txt']],
    ['src/./x', ['src/x/y'], ['x/b.txt', 'x/y/c.txt']],
  ])('of %s without %j', (word, exclude, expected) => {
    expect(leaves(word, { exclude })).toEqual(expected);
  });
});

test('parents are as they are in the source, and those above /./ are not looked at', () => {
  const tree = treeOf(['d750 0/0 0 a', 'd1777 0/0 0 a/b', 'd700 0/0 0 a/c', '-640 0/0 1 a/b/f']);
  const shown = (word: string) =>
    copied(word, { tree }).map(({ path, node }) => describeNode(path, node));
  expect(shown('a/b/f')).toEqual([
    'd755 0/0 0 o',
    'd750 0/0 0 o/a',
    'd1777 0/0 0 o/a/b',
    '-640 0/0 1 o/a/b/f',
  ]);
  expect(shown('a/./b/f')).toEqual(['d755 0/0 0 o', 'd1777 0/0 0 o/b', '-640 0/0 1 o/b/f']);
});

test('the flag is one of COPY, not of ADD', () => {
  const parse = (word: string) => () => parseDockerfile(`FROM scratch\n${word} --parents a /b/\n`);
  expect(parse('COPY')).not.toThrow();
  expect(parse('ADD')).toThrow(expect.objectContaining({ code: 'DOCKERFILE_PARSE' }));
});
