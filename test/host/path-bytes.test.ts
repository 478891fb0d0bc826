import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeName, displayName, encodeName, fsPath } from '../../src/host/path-bytes.ts';

describe('names as bytes', () => {
  it('come back exactly, whatever bytes they are', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(encodeName(decodeName(Buffer.from(bytes)))).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it('are the plain string where they are text', () => {
    expect(decodeName(Buffer.from('ä/€/𝄞'))).toBe('ä/€/𝄞');
    expect(fsPath('ä')).toBe('ä');
  });

  it.each([
    ['a byte that begins nothing', [0x61, 0xff, 0x62], 'a\\xffb'],
    ['a sequence that is cut off', [0xe2, 0x82], '\\xe2\\x82'],
    ['an overlong form', [0xc0, 0xaf], '\\xc0\\xaf'],
    ['a surrogate in UTF-8', [0xed, 0xa0, 0x80], '\\xed\\xa0\\x80'],
  ])('keep %s, and show it', (_, bytes, shown) => {
    const name = decodeName(Buffer.from(bytes));
    expect(displayName(name)).toBe(shown);
    expect(fsPath(name)).toEqual(Buffer.from(bytes));
  });

  it('are equal only if their bytes are', () => {
    expect(decodeName(Buffer.of(0xff))).not.toBe(decodeName(Buffer.from('\ufffd')));
  });
});
