/** Parts of COPY and ADD that no engine's answer covers: digests, layers' entries, archives among the sources. */
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { hashFiles } from '../../src/context/hash-files.ts';
import type { CopyOp } from '../../src/graph/step.ts';
import { digestCopy } from '../../src/scheduler/copy-digest.ts';
import { parseChmod } from '../../src/scheduler/copy-mode.ts';
import { type CopyDestination, planCopy } from '../../src/scheduler/copy-plan.ts';
import { type CopyItem, selectCopy } from '../../src/scheduler/copy-select.ts';
import { createCopySources } from '../../src/scheduler/copy-sources.ts';
import { EMPTY_TREE, type FileTree } from '../../src/tree/file-tree.ts';
import { tarOf } from '../helpers/archives.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { describeNode, filesOf, treeOf } from '../helpers/trees.ts';

interface Selection {
  readonly unpack?: boolean;
  readonly exclude?: readonly string[];
}

function select(tree: FileTree, words: string, more: Selection = {}): readonly CopyItem[] {
  const { unpack = false, exclude = [] } = more;
  const sources = words.split(' ').map((word) => ({ type: 'word', tree, word, unpack }) as const);
  return selectCopy({ sources, exclude, parents: false });
}

function plan(items: readonly CopyItem[], path: string, more: Partial<CopyDestination> = {}) {
  const destination = { base: EMPTY_TREE, path, workdir: '/', createdTime: 7n, ...more };
  return planCopy(items, destination);
}

const show = (inputs: ReturnType<typeof plan>) =>
  inputs.map((input) => ('node' in input ? describeNode(input.path, input.node) : input.path));

describe('the content digest', () => {
  const digest = (items: readonly CopyItem[], hasOwner = false, hasMode = false) =>
    digestCopy(items, { hasOwner, hasMode, hashFiles: (nodes) => hashFiles(nodes) });
  const tree = (lines: readonly string[], contents = {}) =>
    treeOf(lines, { 'd/a': 'x', ...contents });
  const LINES = ['-644 0/0 1 d/a', 'l777 0/0 0 d/l -> a', 'd755 0/0 0 d/e'];
  const same = digest(select(tree(LINES), 'd'));

  test.each<[string, string[], Record<string, string>]>([
    ['a changed byte', LINES, { 'd/a': 'y' }],
    ['a new mode', LINES.map((line) => line.replace('-644', '-755')), {}],
    ['a new owner', LINES.map((line) => line.replace('-644 0/0', '-644 5/0')), {}],
    ['a new name', LINES.map((line) => line.replace('d/a', 'd/b')), { 'd/b': 'x' }],
    ['another link', LINES.map((line) => line.replace('-> a', '-> b')), {}],
    ['one file more', [...LINES, '-644 0/0 0 d/more'], {}],
    ['an empty directory less', LINES.slice(0, 2), {}],
  ])('changes with %s', async (_what, lines, contents) => {
    expect(await digest(select(tree(lines, contents), 'd'))).not.toBe(await same);
  });

  test('does not change with times, the name of a directory, or what a flag overrides', async () => {
    const renamed = treeOf(
      LINES.map((line) => line.replace(' d/', ' other/').replace('0 other', '0 other')),
      { 'other/a': 'x' },
    );
    expect(await digest(select(renamed, 'other'))).toBe(await same);
    const owned = tree(LINES.map((line) => line.replace('-644 0/0', '-600 5/6')));
    expect(await digest(select(owned, 'd'), true, true)).toBe(
      await digest(select(tree(LINES), 'd'), true, true),
    );
  });

  test('knows a file from its link, and an archive from one to unpack', async () => {
    const one = filesOf({ a: 'x', b: 'x' });
    const digests = [
      await digest(select(one, 'a')),
      await digest(select(one, 'b')),
      await digest(select(one, 'a', { unpack: true })),
      await digest(select(one, 'a b')),
      await digest([]),
    ];
    expect(new Set(digests).size).toBe(5);
  });
});

describe('the entries of the layer', () => {
  test('repeat the directories of the image on the way, as they are', () => {
    const base = treeOf(['d700 5/6 0 opt', 'd2755 0/50 0 opt/app', '-644 0/0 1 opt/app/kept']);
    const inputs = plan(select(filesOf({ a: 'x' }), 'a'), '/opt/app/new/', { base });
    expect(show(inputs)).toEqual([
      'd700 5/6 0 opt',
      'd2755 0/50 0 opt/app',
      'd755 0/0 0 opt/app/new',
      '-644 0/0 1 opt/app/new/a',
    ]);
    expect(inputs.map((input) => 'node' in input && input.node.mtime)).toEqual([0n, 0n, 7n, 0n]);
  });

  test('are none if nothing matches', () => {
    expect(plan(select(filesOf({ a: 'x' }), 'z*'), '/o/')).toEqual([]);
  });

  test('keep hard links within one source, and part those of two', () => {
    const tree = treeOf(['-644 0/0 1 d/a', '-644 0/0 1 d/b', '-644 0/0 1 e/c']);
    for (const path of ['d/a', 'd/b', 'e/c']) tree.put(path, { ...tree.lookup(path)!, inode: 'i' });
    const inodes = plan(select(tree, 'd e'), '/o/').flatMap((input) =>
      'node' in input && input.node.type === 'file' ? [input.node.inode] : [],
    );
    expect(inodes[0]).toBe(inodes[1]);
    expect(inodes[2]).not.toBe(inodes[0]);
  });

  test('have the xattrs of their sources', () => {
    const tree = filesOf({ a: 'x' });
    const xattrs = { 'security.capability': Buffer.of(1, 0xff) };
    tree.put('a', { ...tree.lookup('a')!, xattrs });
    expect(plan(select(tree, 'a'), '/o')[0]).toMatchObject({ node: { xattrs } });
  });
});

test.each([
  ['Fiel', 'File', 'Did you mean File?'],
  ['src/indx.ts', 'src/index.ts', 'Did you mean src/index.ts?'],
])('a missing %s is asked back', (word, there, hint) => {
  expect(() => select(filesOf({ [there]: '' }), word)).toThrow(expect.objectContaining({ hint }));
});

test.each(['8', '10000', '0x1', '0o755', 'zz', 'a', 'u+r,', 'u+7', '+755', ',', ' '])(
  '--chmod=%s is refused',
  (text) => {
    expect(() => parseChmod(text)).toThrow(expect.objectContaining({ code: 'DOCKERFILE_PARSE' }));
  },
);

describe('what ADD brings', () => {
  const op = { unpack: undefined } as unknown as CopyOp;
  const step = (more: Partial<CopyOp> = {}) => ({
    op: { ...op, ...more },
    signal: new AbortController().signal,
  });

  function sources() {
    const made: string[] = [];
    const tempDir = () => {
      made.push(tempDirectory());
      return made.at(-1)!;
    };
    const fetch = async () => new Response('hello');
    return { made, opened: createCopySources({ tempDir, fetch, env: process.env }) };
  }

  test('archives are laid out, other files copied, and what was inflated is gone in the end', async () => {
    const tar = tarOf([{ name: 'in', content: 'xy', uid: 9 }]);
    const tree = filesOf({ 'plain.tar': 'not a tar' });
    const node = tree.lookup('plain.tar')!;
    tree.put('real.tar', { ...node, size: tar.length, content: { bytes: tar } });
    const items = select(tree, '*.tar', { unpack: true });
    const { made, opened } = sources();
    {
      await using archives = await opened.openArchives(items, new AbortController().signal);
      expect(show(plan(items, '/o/', archives))).toEqual([
        'd755 0/0 0 o',
        '-644 9/0 2 o/in',
        '-644 0/0 9 o/plain.tar',
      ]);
      expect(made.every((directory) => existsSync(directory))).toBe(true);
    }
    expect(made).toHaveLength(1);
    expect(made.some((directory) => existsSync(directory))).toBe(false);
  });

  test('a URL is a file of its name, unpacked only when asked to be', async () => {
    const { made, opened } = sources();
    const plain = await opened.fetchSource('http://host/a/x.tar', step());
    expect(plain).toMatchObject({
      type: 'file',
      name: 'x.tar',
      unpack: false,
      node: { mode: 0o600 },
    });
    expect(await opened.fetchSource('http://host/x', step({ unpack: true }))).toMatchObject({
      unpack: true,
    });
    await opened[Symbol.asyncDispose]();
    expect(made.some((directory) => existsSync(directory))).toBe(false);
  });

  test.each([
    [{ keepGitDir: false }, 'https://host/x.git?keep-git-dir=1'],
    [{ checksum: 'abc' }, 'https://host/x.git?checksum=def'],
  ])('%j beside %s is refused', async (flags, url) => {
    await expect(sources().opened.fetchSource(url, step(flags))).rejects.toMatchObject({
      code: 'DOCKERFILE_PARSE',
    });
  });
});
