import { describe, expect, test } from 'vitest';
import { formatBytes, formatSeconds } from '../../src/progress/format.ts';
import { fitText, textWidth } from '../../src/progress/text-width.ts';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.00 kB'],
  [9_994, '9.99 kB'],
  [9_995, '10.0 kB'],
  [999_499, '999 kB'],
  [999_500, '1.00 MB'],
  [8_600_000_000, '8.60 GB'],
])('%d bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [0, '0.00s'],
  [0.042, '0.04s'],
  [1.26, '1.3s'],
  [59.94, '59.9s'],
  [59.96, '1m00s'],
  [123, '2m03s'],
  [3600, '1h00m'],
  [7325, '2h02m'],
])('%d seconds are %s', (seconds, text) => {
  expect(formatSeconds(seconds)).toBe(text);
});

describe('text on a terminal', () => {
  test.each([
    ['abc', 3],
    ['\x1b[31mabc\x1b[0m', 3],
    ['größe', 5],
    ['e\u0301', 1],
    ['大きさ', 6],
    ['🚀', 2],
  ])('%j takes %d columns', (text, width) => {
    expect(textWidth(text)).toBe(width);
  });

  test.each([
    ['abcdef', 6, 'abcdef'],
    ['abcdef', 5, 'abcd…'],
    ['大きさ', 4, '大…'],
    ['\x1b[31mabcdef\x1b[0m', 4, '\x1b[31mabc…\x1b[0m'],
    ['abc', 0, ''],
  ])('%j cut to %d columns is %j', (text, width, cut) => {
    expect(fitText(text, width)).toBe(cut);
    expect(textWidth(cut)).toBeLessThanOrEqual(width);
  });
});
