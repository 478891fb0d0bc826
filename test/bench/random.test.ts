import { deflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { createRandom } from './random.ts';

const bytes = (seed: string, length = 4096) => {
  const buffer = Buffer.alloc(length);
  createRandom(seed).fill(buffer);
  return buffer;
};

test('the same seed gives the same bytes, and another one others', () => {
  expect(bytes('a')).toEqual(bytes('a'));
  expect(bytes('a')).not.toEqual(bytes('b'));
  expect(bytes('')).not.toEqual(Buffer.alloc(4096));
});

test('bytes stay the same from version to version', () => {
  expect(bytes('tsbuild', 7).toString('hex')).toBe('b09b7af61a66dc');
});

test('its bytes cannot be compressed', () => {
  expect(deflateRawSync(bytes('a', 100_000)).length).toBeGreaterThanOrEqual(100_000);
});

test('numbers lie below their limit, and reach all that is below it', () => {
  const random = createRandom('numbers');
  const seen = new Set(Array.from({ length: 1000 }, () => random.below(10)));
  expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
