import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sparseFile } from '../../src/host/sparse-file.ts';
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
