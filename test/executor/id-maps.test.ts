import { describe, expect, it } from 'vitest';
import { parseRanges } from '../../src/executor/id-maps.ts';

describe('subordinate ids', () => {
  const user = { username: 'me', uid: 1000 };
  it.each([
    ['by name', 'you:1:2\nme:100000:65536\n', [{ start: 100000, count: 65536 }]],
    ['by number', '1000:100000:65536', [{ start: 100000, count: 65536 }]],
    [
      'in several ranges',
      'me:10:5\nme:20:6',
      [
        { start: 10, count: 5 },
        { start: 20, count: 6 },
      ],
    ],
    ['never, when they are somebody else’s', 'me2:10:5\n100:20:6', []],
    ['never, when they are nonsense', 'me:x:5\nme:10\nme:10:0\n#me:1:1\n\n', []],
  ])('are found %s', (_, text, ranges) => {
    expect(parseRanges(text, user)).toEqual(ranges);
  });
});
