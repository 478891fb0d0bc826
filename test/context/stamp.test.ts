import fs from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDirectory } from '../../src/context/directory.ts';
import { parseIgnoreRules } from '../../src/context/dockerignore.ts';
import { createStamper, type Stamp } from '../../src/context/stamp.ts';
import { EMPTY_TREE, type FileTree } from '../../src/tree/file-tree.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

function stampOf(tree: FileTree, directory = ''): Stamp {
  const stamper = createStamper();
  expect(stamper.addTree(tree, directory)).toBe(true);
  return stamper.finish();
}

const IGNORED = parseIgnoreRules('**/*.tmp\n');
const open = (root: string) => openDirectory(root, IGNORED);

function project(): string {
  const root = tempDirectory();
  fs.mkdirSync(join(root, 'a/b'), { recursive: true });
  for (const file of ['a/b/one', 'a/b/two', 'a/three', 'a/b/x.tmp'])
    fs.writeFileSync(join(root, file), 'content');
  fs.symlinkSync('one', join(root, 'a/b/link'));
  return root;
}

/** Until the clock of the filesystem shows it. */
function insist(file: string, change: () => void): void {
  const before = fs.lstatSync(file, { bigint: true }).ctimeNs;
  do change();
  while (fs.lstatSync(file, { bigint: true }).ctimeNs === before);
}

describe('a stamp stays', () => {
  test.each([
    ['when nothing happens', () => {}],
    [
      'when a hidden file changes, comes or goes',
      (root: string) => {
        fs.writeFileSync(join(root, 'a/b/y.tmp'), 'new');
        fs.rmSync(join(root, 'a/b/x.tmp'));
      },
    ],
    ['when files are only read', (root: string) => void fs.readFileSync(join(root, 'a/b/one'))],
  ])('%s', (_when, happen) => {
    const root = project();
    const before = stampOf(open(root));
    happen(root);
    expect(stampOf(open(root))).toEqual(before);
  });

  test('whether or not files were looked up before', () => {
    const root = project();
    const tree = open(root);
    for (const path of ['a', 'a/b/two', 'a/b/link', 'a/b/none']) tree.lookup(path);
    expect(stampOf(tree)).toEqual(stampOf(open(root)));
  });
});

describe('a stamp changes', () => {
  test.each<[string, (root: string) => void]>([
    [
      'other bytes of the same length',
      (root) => fs.writeFileSync(join(root, 'a/b/one'), 'CONTENT'),
    ],
    ['more bytes', (root) => fs.appendFileSync(join(root, 'a/b/one'), '!')],
    ['a mode', (root) => fs.chmodSync(join(root, 'a/b/one'), 0o600)],
    ["a directory's mode", (root) => fs.chmodSync(join(root, 'a/b'), 0o700)],
    [
      'bytes behind the old time',
      (root) => {
        const file = join(root, 'a/b/one');
        const { atime, mtime } = fs.statSync(file);
        fs.writeFileSync(file, 'CONTENT');
        fs.utimesSync(file, atime, mtime);
      },
    ],
  ])('with %s', (what, change) => {
    const root = project();
    const before = stampOf(open(root));
    insist(join(root, what.includes('directory') ? 'a/b' : 'a/b/one'), () => change(root));
    expect(stampOf(open(root)).sha256).not.toBe(before.sha256);
  });

  test.each<[string, (root: string) => void]>([
    ['a new file', (root) => fs.writeFileSync(join(root, 'a/b/new'), '')],
    ['a file less', (root) => fs.rmSync(join(root, 'a/b/one'))],
    ['another name', (root) => fs.renameSync(join(root, 'a/b/one'), join(root, 'a/b/eno'))],
    ['another place', (root) => fs.renameSync(join(root, 'a/b/one'), join(root, 'a/one'))],
    ['another directory', (root) => fs.renameSync(join(root, 'a/b'), join(root, 'a/c'))],
    ['an empty directory', (root) => fs.mkdirSync(join(root, 'a/empty'))],
    [
      'another file of the same name',
      (root) => {
        fs.writeFileSync(join(root, 'new'), 'content');
        fs.renameSync(join(root, 'new'), join(root, 'a/b/one'));
      },
    ],
    [
      'a link to something else',
      (root) => {
        fs.symlinkSync('two', join(root, 'new'));
        fs.renameSync(join(root, 'new'), join(root, 'a/b/link'));
      },
    ],
  ])('with %s', (_what, change) => {
    const root = project();
    const before = stampOf(open(root));
    change(root);
    expect(stampOf(open(root)).sha256).not.toBe(before.sha256);
  });

  test('with what is hidden', () => {
    const root = project();
    expect(stampOf(openDirectory(root)).sha256).not.toBe(stampOf(open(root)).sha256);
  });
});

test('a stamp says from when on a change would show', () => {
  const root = project();
  const { settled } = stampOf(open(root));
  const newest = fs.lstatSync(join(root, 'a/b/link')).ctimeMs;
  expect(settled).toBeGreaterThan(newest);
  expect(settled).toBeLessThan(newest + 10_000);
});

test('files have stamps, too, and what is no directory of the host has none', () => {
  const root = project();
  const stampOfFile = () => {
    const stamper = createStamper();
    expect(stamper.addFile(open(root).lookup('a/three')!)).toBe(true);
    return stamper.finish();
  };
  const before = stampOfFile();
  expect(stampOfFile()).toEqual(before);
  insist(join(root, 'a/three'), () => fs.writeFileSync(join(root, 'a/three'), 'CONTENT'));
  expect(stampOfFile().sha256).not.toBe(before.sha256);
  expect(createStamper().addTree(EMPTY_TREE, '')).toBe(false);
  expect(createStamper().addFile(EMPTY_TREE.lookup('')!)).toBe(false);
});

test('texts are told apart from their neighbours', () => {
  const digest = (...texts: string[]) => {
    const stamper = createStamper();
    for (const text of texts) stamper.add(text);
    return stamper.finish().sha256;
  };
  expect(digest('ab', 'c')).not.toBe(digest('a', 'bc'));
});
