import fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openDirectory } from '../../src/context/directory.ts';
import { hashFiles } from '../../src/context/hash-files.ts';
import { digestCopy } from '../../src/scheduler/copy-digest.ts';
import {
  type CopySelection,
  type CopySource,
  selectCopy,
} from '../../src/scheduler/copy-select.ts';
import { stampCopy } from '../../src/scheduler/copy-stamp.ts';
import { EMPTY_TREE } from '../../src/tree/file-tree.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const FLAGS = { hasOwner: false, hasMode: false };

function context(): string {
  const root = tempDirectory();
  fs.mkdirSync(join(root, 'src/lib'), { recursive: true });
  for (const file of ['src/a', 'src/lib/b', 'src/lib/c.md', 'top'])
    fs.writeFileSync(join(root, file), file);
  fs.symlinkSync('src/lib', join(root, 'link'));
  return root;
}

interface Variant {
  readonly words?: readonly string[];
  readonly exclude?: readonly string[];
  readonly unpack?: boolean;
}

function selection(root: string, variant: Variant = {}): CopySelection {
  const { words = ['src'], exclude = [], unpack = false } = variant;
  const tree = openDirectory(root);
  const sources = words.map((word): CopySource => ({ type: 'word', tree, word, unpack }));
  return { sources, exclude, parents: false };
}

const VARIANTS: readonly Variant[] = [
  {},
  { words: ['link'] },
  { words: ['src/lib'] },
  { words: ['s*'] },
  { words: ['src', 'top'] },
  { words: ['top', 'src'] },
  { words: ['.'] },
  { exclude: ['**/*.md'] },
  { exclude: ['lib'] },
];

test('what has equal stamps has equal digests', async () => {
  const root = context();
  const digests = new Map<string, string>();
  for (const variant of VARIANTS) {
    const stamp = stampCopy(selection(root, variant), FLAGS)!.sha256;
    expect(stampCopy(selection(root, variant), FLAGS)!.sha256).toBe(stamp);
    const digest = await digestCopy(selectCopy(selection(root, variant)), { ...FLAGS, hashFiles });
    expect(digests.get(stamp) ?? digest, JSON.stringify(variant)).toBe(digest);
    digests.set(stamp, digest);
  }
  // A link and what it leads to are one thing, as is a pattern and what it matches.
  expect(digests.size).toBe(VARIANTS.length - 2);
});

test('what the digest leaves out because of a flag counts', () => {
  const root = context();
  const flags = [FLAGS, { hasOwner: true, hasMode: false }, { hasOwner: false, hasMode: true }];
  const stamps = flags.map((each) => stampCopy(selection(root), each)!.sha256);
  const unpacked = stampCopy(selection(root, { words: ['src', 'top'], unpack: true }), FLAGS)!;
  const plain = stampCopy(selection(root, { words: ['src', 'top'] }), FLAGS)!;
  expect(new Set([...stamps, unpacked.sha256, plain.sha256]).size).toBe(5);
});

test.each<[string, (root: string) => CopySelection]>([
  ['no directory', (root) => selection(root, { words: ['top'] })],
  ['a word that matches nothing', (root) => selection(root, { words: ['src', 'x*'] })],
  ['a word for what is not there', (root) => selection(root, { words: ['src', 'x'] })],
  ['--parents', (root) => ({ ...selection(root), parents: true })],
  [
    'files of something else',
    (root) => ({
      ...selection(root),
      sources: [
        ...selection(root).sources,
        { type: 'word', tree: EMPTY_TREE, word: '.', unpack: false },
      ],
    }),
  ],
])('%s has no stamp', (_what, select) => {
  expect(stampCopy(select(context()), FLAGS)).toBeUndefined();
});
