import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { byLibrary, byProgram, zstdFrame, zstdRoom } from '../../src/layer/zstd-frame.ts';

const text = readFileSync(
  new URL('../../node_modules/undici/lib/web/fetch/index.js', import.meta.url),
);

describe.each([
  ['the library', byLibrary],
  ['the program', byProgram],
  ['what this host has', zstdFrame],
])('a frame made by %s', (_, encode) => {
  test.each([
    ['a byte', Buffer.from('x')],
    ['text', text],
    ['random bytes', randomBytes(1_000_000)],
    ['few random bytes', randomBytes(50)],
  ])('is what zstd reads: %s', (_, bytes) => {
    const output = Buffer.alloc(zstdRoom(bytes.length));
    const size = encode(bytes, output, 3)!;
    const frame = { input: output.subarray(0, size), maxBuffer: 2 ** 24 };
    expect(execFileSync('zstd', ['-dcq'], frame).equals(bytes)).toBe(true);
  });

  test('is smaller at a higher level', () => {
    const output = Buffer.alloc(zstdRoom(text.length));
    expect(encode(text, output, 19)).toBeLessThan(encode(text, output, 1)!);
  });
});

test('two frames are one file', () => {
  const output = Buffer.alloc(2 * zstdRoom(text.length));
  const first = zstdFrame(text, output);
  const input = output.subarray(0, first + zstdFrame(text, output.subarray(first)));
  const plain = execFileSync('zstd', ['-dcq'], { input, maxBuffer: 2 ** 24 });
  expect(plain.equals(Buffer.concat([text, text]))).toBe(true);
});

test('what does not fit is an error', () => {
  expect(() => byLibrary(text, Buffer.alloc(10), 3)).toThrow('ZSTD_compress');
});
