import { closeSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSparse, sparseFile } from '../../src/host/sparse-file.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const MIB = 1 << 20;
const zeros = Buffer.alloc(MIB);
const text = Buffer.from('text');
const endsInOne = Buffer.concat([Buffer.alloc(MIB - 1), Buffer.of(1)]);
const beginsWithOne = Buffer.concat([Buffer.of(1), Buffer.alloc(MIB - 1)]);
const oneInside = Buffer.concat([Buffer.alloc(MIB), text, Buffer.alloc(MIB)]);

describe('a file with holes', () => {
  it.each<[string, Buffer[], number]>([
    ['nothing', [], 0],
    ['text', [text, text], 1],
    ['zeros alone', [zeros, zeros], 0],
    ['zeros before text', [zeros, text], 1],
    ['zeros after text', [text, zeros], 1],
    ['zeros after text, and nothing after these', [text, zeros, Buffer.alloc(0)], 1],
    ['zeros between text', [text, zeros, zeros, text], 2],
    ['a few zeros', [Buffer.alloc(10)], 1],
    ['zeros but for one', [endsInOne, beginsWithOne], 512],
    ['zeros but for some', [oneInside], 513],
  ])('reads as what was written: %s', (_, pieces, blocks) => {
    const file = join(tempDirectory(), 'file');
    const fd = openSync(file, 'wx');
    const target = sparseFile(fd);
    for (const piece of pieces) target.write(piece);
    target.finish();
    closeSync(fd);
    expect(readFileSync(file).equals(Buffer.concat(pieces))).toBe(true);
    // Of 4 KiB; filesystems may need some more for themselves.
    expect(statSync(file).blocks / 8).toBeLessThanOrEqual(blocks + 2);
  });
});

describe('reading a file with holes', () => {
  it.each([
    ['a hole at the start', 0, MIB],
    ['a hole, and the bytes behind it', 0, MIB + 2],
    ['bytes, and the hole behind them', MIB, MIB],
    ['a hole before the last bytes', MIB + 4096, 2 * MIB],
    ['the hole at the end', 3 * MIB, MIB],
    ['more than there is', 3 * MIB, 2 * MIB],
    ['what is behind the end', 4 * MIB, MIB],
    ['a little of a hole', 100, 100],
  ])('gives the same as reading all: %s', (_, position, size) => {
    const file = join(tempDirectory(), 'file');
    const fd = openSync(file, 'wx+');
    ftruncateSync(fd, 4 * MIB);
    writeSync(fd, text, 0, text.length, MIB);
    writeSync(fd, text, 0, text.length, 3 * MIB - text.length);
    const buffer = Buffer.alloc(size, 1);
    const length = readSparse(fd, buffer, position);
    closeSync(fd);
    const expected = readFileSync(file).subarray(position, position + size);
    expect(length).toBe(expected.length);
    expect(buffer.subarray(0, length).equals(expected)).toBe(true);
  });

  it('does not read a hole: a file that is open for writing alone gives one', () => {
    const fd = openSync(join(tempDirectory(), 'file'), 'wx');
    try {
      ftruncateSync(fd, 4 * MIB);
      writeSync(fd, text, 0, text.length, 2 * MIB);
      const buffer = Buffer.alloc(MIB, 1);
      expect(readSparse(fd, buffer, 0)).toBe(MIB);
      expect(buffer.equals(zeros)).toBe(true);
      expect(() => readSparse(fd, buffer, 2 * MIB)).toThrow('EBADF');
    } finally {
      closeSync(fd);
    }
  });
});
