import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { openKnownContents } from '../../src/context/known-contents.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const DAY = 86_400_000;
const hex = (digit: string) => digit.repeat(64);
const fileIn = (directory: string) => join(directory, 'contexts', 'contents');

function save(file: string, records: Readonly<Record<string, string>>, now = 0): void {
  const known = openKnownContents(file, () => now);
  for (const [stamp, content] of Object.entries(records)) known.set(stamp, content);
  known.save();
}

test('what one build saves the next one knows, on the same day', () => {
  const file = fileIn(tempDirectory());
  save(file, { [hex('1')]: hex('a') });
  expect(openKnownContents(file, () => DAY - 1).get(hex('1'))).toBe(hex('a'));
  expect(openKnownContents(file, () => DAY - 1).get(hex('2'))).toBeUndefined();
  expect(openKnownContents(file, () => DAY).get(hex('1'))).toBeUndefined();
});

test('what two builds learn at once is kept of both', () => {
  const file = fileIn(tempDirectory());
  const builds = [openKnownContents(file, () => 0), openKnownContents(file, () => 0)];
  for (const [at, known] of builds.entries()) {
    expect(known.get(hex('f'))).toBeUndefined();
    known.set(hex(String(at)), hex('a'));
  }
  for (const known of builds) known.save();
  const after = openKnownContents(file, () => 0);
  expect([0, 1].map((at) => after.get(hex(String(at))))).toEqual([hex('a'), hex('a')]);
});

test('without news nothing is written', () => {
  const directory = tempDirectory();
  openKnownContents(fileIn(directory)).save();
  expect(() => readFileSync(fileIn(directory))).toThrow('ENOENT');
});

test.each([
  ['empty', ''],
  ['something else', 'no list at all'],
  ['of another version', `tsbuild-contents 2 0\n${hex('1')} ${hex('a')}\n`],
  ['cut off', `tsbuild-contents 1 0\n${hex('1')} ${hex('a').slice(1)}`],
])('a file that is %s knows nothing, and is written anew', (_what, text) => {
  const file = fileIn(tempDirectory());
  mkdirSync(dirname(file));
  writeFileSync(file, text);
  expect(openKnownContents(file, () => 0).get(hex('1'))).toBeUndefined();
  save(file, { [hex('2')]: hex('b') });
  expect(openKnownContents(file, () => 0).get(hex('2'))).toBe(hex('b'));
});

test('lines that are damaged do not hide the others', () => {
  const file = fileIn(tempDirectory());
  save(file, { [hex('1')]: hex('a') });
  appendFileSync(file, `rubbish\n${hex('2')} ${hex('b')}\n`);
  expect(openKnownContents(file, () => 0).get(hex('2'))).toBe(hex('b'));
});

test('of very many, the latest are kept', () => {
  const file = fileIn(tempDirectory());
  const names = Array.from({ length: 1500 }, (_, n) => n.toString(16).padStart(64, '0'));
  save(file, Object.fromEntries(names.map((name) => [name, hex('a')])));
  const known = openKnownContents(file, () => 0);
  expect(known.get(names[0]!)).toBeUndefined();
  expect(known.get(names.at(-1)!)).toBe(hex('a'));
});
