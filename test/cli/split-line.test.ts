import { expect, test } from 'vitest';
import { splitLine } from '../../src/cli/split-line.ts';

test.each<[string, string[] | undefined]>([
  ['', ['']],
  ['tsbuild pu', ['tsbuild', 'pu']],
  ['tsbuild  pull ', ['tsbuild', 'pull', '']],
  ["a 'b c' d", ['a', 'b c', 'd']],
  ['a "b \\"c\\" $d" e', ['a', 'b "c" $d', 'e']],
  ['a b\\ c', ['a', 'b c']],
  ["--label=x='y z'", ['--label=x=y z']],
  ["a 'b", undefined],
  ['a "b', undefined],
  ['a \\', undefined],
])('%j is split as a shell would', (line, words) => {
  expect(splitLine(line)).toEqual(words);
});
