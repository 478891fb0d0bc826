import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ERROR_CODES } from '../src/errors.ts';

const root = join(import.meta.dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

test('the README has exactly one row for each error code, with its status and meaning', () => {
  const rows = [...readme.matchAll(/^\| `([A-Z_]+)` +\| (\d+) +\| (.+?) +\|$/gm)];
  expect(rows.map(([, code, exit, meaning]) => [code, Number(exit), meaning])).toEqual(
    Object.entries(ERROR_CODES).map(([code, { exit, meaning }]) => [code, exit, meaning]),
  );
});

describe.each(['README.md', 'CONTRIBUTING.md', 'src/README.md', 'examples/README.md'])(
  '%s',
  (file) => {
    const text = readFileSync(join(root, file), 'utf8');

    test('links only to files that exist', () => {
      const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map(
        (match) => match[1]!,
      );
      for (const link of links) {
        expect(() => readFileSync(join(root, file, '..', link)), link).not.toThrow();
      }
    });

    test('names only npm scripts that exist', () => {
      const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
      const named = [...text.matchAll(/npm run ([a-z]+)/g)].map((match) => match[1]!);
      expect(named.filter((name) => !(name in scripts))).toEqual([]);
    });
  },
);
