import { expect, test } from 'vitest';
import { parsePointing } from '../../src/dockerfile/parse-pointing.ts';

test.each([
  ['a word of the first line', 'FROM scratch\n  COPPY a b\n', 2, 3, '  COPPY a b'],
  ['a word of a later line', 'FROM scratch\nCOPY \\\r\n\t--frm=x a b\r\n', 3, 2, '\t--frm=x a b'],
  [
    'its line, where the word stands in what dockerfile-ast takes for the same instruction',
    "FROM scratch\nRUN echo it's <<EOF\necho\nEOF\n",
    3,
    1,
    'echo',
  ],
  [
    'its line, where dockerfile-ast sees it continue another',
    "FROM scratch\nENV B='c\\\\\\\nd'\n",
    3,
    undefined,
    "d'",
  ],
  ['no word', 'FROM scratch\nCOPY \\\n a\n', 2, undefined, 'COPY \\'],
])('an error points at %s', async (_what, source, line, column, lineText) => {
  const parsing = parsePointing(Buffer.from(source), 'Dockerfile');
  const error = await parsing.catch((thrown) => thrown);
  expect(error.code).toBe('DOCKERFILE_PARSE');
  const { location } = error;
  expect([location.line, location.column, location.lineText]).toEqual([line, column, lineText]);
});

test('what is right is parsed', async () => {
  const { file, instructions } = await parsePointing(Buffer.from('FROM scratch\n'), 'other');
  expect([file, instructions.length]).toEqual(['other', 1]);
});
