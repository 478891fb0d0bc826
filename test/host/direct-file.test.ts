import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createDirectFile } from '../../src/host/direct-file.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const MIB = 1024 * 1024;

/** Memory has no `O_DIRECT` on older kernels; the disk may have none either, which must not matter. */
describe.each([
  ['on a disk', () => join(tempDirectory(), 'file')],
  ['in memory', () => join(tempDirectory('/dev/shm'), 'file')],
])('a file %s', (_, newPath) => {
  test.each([
    ['none', []],
    ['a byte', [1]],
    ['a block', [4096]],
    ['a piece', [MIB]],
    ['a piece and a byte', [MIB + 1]],
    ['several pieces at once', [3 * MIB + 4097]],
    ['many parts of odd sizes', Array.from({ length: 200 }, (_, i) => 1 + ((i * 7919) % 40_000))],
  ])('has the bytes that were written: %s', async (_, sizes) => {
    const path = newPath();
    const parts = sizes.map((size) => randomBytes(size));
    {
      await using file = createDirectFile(path);
      for (const part of parts) await file.write(part);
      await file.finish();
    }
    expect(readFileSync(path).equals(Buffer.concat(parts))).toBe(true);
  });

  test('tells what is in it, and leaves alone the memory that is kept', async () => {
    const path = newPath();
    const bytes = randomBytes(5 * MIB + 100);
    const kept: Uint8Array[] = [];
    await using file = createDirectFile(path, async (size, last) => {
      expect(
        readFileSync(path)
          .subarray(size - last.length, size)
          .equals(last),
      ).toBe(true);
      kept.push(last);
      return 'kept';
    });
    await file.write(bytes);
    await file.finish();
    expect(Buffer.concat(kept).equals(bytes)).toBe(true);
  });

  test('uses memory again that was returned', async () => {
    const memory = new Set<ArrayBufferLike>();
    await using file = createDirectFile(newPath(), async (_, { buffer }) => {
      memory.add(buffer);
      return 'returned';
    });
    for (let written = 0; written < 8; written += 1) await file.write(Buffer.alloc(MIB));
    await file.finish();
    expect(memory.size).toBe(2);
  });
});

test('a file that is there is not touched', () => {
  const path = join(tempDirectory(), 'file');
  writeFileSync(path, 'mine');
  expect(() => createDirectFile(path)).toThrow('EEXIST');
  expect(readFileSync(path, 'utf8')).toBe('mine');
});

test('what goes wrong later is told', async () => {
  const path = join(tempDirectory(), 'file');
  const why = new Error('the reader broke');
  await using file = createDirectFile(path, () => Promise.reject(why));
  await file.write(Buffer.alloc(MIB));
  await expect(file.finish()).rejects.toBe(why);
});
