import { describe, expect, it } from 'vitest';
import { parseByteSize } from '../../src/dockerfile/byte-size.ts';
import { parseCsvFields } from '../../src/dockerfile/csv.ts';
import { parseDuration } from '../../src/dockerfile/duration.ts';
import { didYouMean, orMeant, suggest } from '../../src/dockerfile/suggest.ts';

describe('parseDuration', () => {
  it.each([
    ['0', 0],
    ['+0', 0],
    ['1ns', 1],
    ['1us', 1e3],
    ['1µs', 1e3],
    ['.5ms', 5e5],
    ['1.s', 1e9],
    ['1h30m', 5400e9],
    ['-1s', -1e9],
  ])('%s is %d ns', (text, nanoseconds) => {
    expect(parseDuration(text) + 0).toBe(nanoseconds);
  });

  it.each([
    '',
    '1',
    '1d',
    's',
    '1 s',
    '1s ',
    '--1s',
    '1e3s',
    '1.2.3s',
    '99999999999h',
    '1constructor',
  ])('%j is none', (text) => {
    expect(() => parseDuration(text)).toThrow(/duration/);
  });
});

describe('parseByteSize', () => {
  it.each([
    ['0', 0],
    ['1024', 1024],
    ['1b', 1],
    ['1k', 1024],
    ['1KB', 1024],
    ['1 KiB', 1024],
    ['1.5m', 1.5 * 1024 ** 2],
    ['2G', 2 * 1024 ** 3],
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseByteSize(text)).toBe(bytes);
  });

  it.each(['', 'k', '-1', '1x', '1  k', '1kk', '9999p'])('%j is none', (text) => {
    expect(parseByteSize(text)).toBeUndefined();
  });
});

it('divides CSV fields, with quotes as RFC 4180 has them', () => {
  expect(parseCsvFields('a,,b=c,"d,e","f""g",')).toEqual(['a', '', 'b=c', 'd,e', 'f"g', '']);
});

describe('suggest', () => {
  it('finds a word at most two changes away, the first of the nearest', () => {
    expect(suggest('COPPY', ['ADD', 'COPY', 'COPYY'])).toBe('COPY');
    expect(suggest('frm', ['chown', 'from'])).toBe('from');
    expect(suggest('xyz', ['chown', 'from'])).toBeUndefined();
  });

  it('folds case unless told not to', () => {
    expect(suggest('CPOY', ['copy'])).toBe('copy');
    expect(suggest('FOO', ['foo'], { caseSensitive: true })).toBeUndefined();
  });

  it('ends at once for a long word', () => {
    expect(suggest('x'.repeat(1e6), ['from'])).toBeUndefined();
  });

  it('words the question', () => {
    expect(didYouMean('frm', ['from'])).toBe('did you mean from?');
    expect(orMeant('frm', ['from'])).toBe(' (did you mean from?)');
    expect(orMeant('xyzzy', ['from'])).toBe('');
  });
});
