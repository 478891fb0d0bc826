import { describe, expect, it } from 'vitest';
import { parseDockerfile } from '../../src/dockerfile/parse.ts';
import { markSource } from '../../src/dockerfile/source-mark.ts';
import { isTsbuildError } from '../../src/errors.ts';

/** What the mark covers, and where. */
async function marked(source: string): Promise<string | undefined> {
  try {
    parseDockerfile(source);
  } catch (error) {
    if (!isTsbuildError(error) || error.location === undefined) throw error;
    const mark = markSource(source, error.location);
    if (mark === undefined) return undefined;
    const text = source.split('\n')[mark.line - 1]!.slice(mark.column - 1);
    return `${mark.line}:${mark.column} ${text.slice(0, mark.length)}`;
  }
  throw new Error('it was not refused');
}

describe('markSource', () => {
  it.each([
    ['an unknown instruction', 'FROM scratch\n  COPPY a b\n', '2:3 COPPY'],
    ['an unknown flag', 'FROM scratch\nCOPY --link --frm=x a b\n', '2:13 --frm=x'],
    [
      'a flag on a later line',
      'FROM scratch\nCOPY --link \\\n  # comment\n  --link a b\n',
      '2:6 --link',
    ],
    ['a flag where none is known', 'FROM scratch\nWORKDIR \\\n  --x=y /z\n', '3:3 --x=y'],
    ['a bad stage name', 'FROM scratch \\\n  AS 1b\n', '2:6 1b'],
    ['a value of a flag', 'FROM scratch\nCOPY --link=maybe a b\n', '2:6 --link=maybe'],
    ['the instruction when no word is at fault', 'FROM scratch\nCOPY \\\n a\n', '2:1 COPY'],
  ])('points at %s', async (_what, source, place) => {
    expect(await marked(source)).toBe(place);
  });
});
