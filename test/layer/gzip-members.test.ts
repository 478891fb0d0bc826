import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { gzipMembers, gzipRoom, openZlib } from '../../src/layer/gzip-members.ts';
import { createRandom } from '../bench/random.ts';

const MIB = 1024 * 1024;
const sources = readFileSync(
  new URL('../../node_modules/undici/lib/web/fetch/index.js', import.meta.url),
);
const executable = readFileSync(process.execPath).subarray(8 * MIB, 9 * MIB);

function compressed(...[input, level, open]: [Buffer, number?, typeof openZlib?]): Buffer {
  const output = Buffer.alloc(gzipRoom(input.length));
  return output.subarray(0, gzipMembers(input, output, level, open));
}

const inputs: readonly (readonly [string, Buffer])[] = [
  ['nothing', Buffer.alloc(0)],
  ['a byte', Buffer.from('x')],
  ['text', sources],
  ['zeros', Buffer.alloc(MIB)],
  ['random bytes', randomBytes(MIB + 77)],
  ['fewer random bytes than tell what they are', randomBytes(500)],
  ['text and random bytes by turns', Buffer.concat([sources, randomBytes(200_000), sources])],
  [
    'random bytes by 32 KiB in text',
    Buffer.concat([0, 1, 2, 3].flatMap(() => [randomBytes(32_768), sources.subarray(0, 32_768)])),
  ],
];

describe.each([
  ['zlib', openZlib],
  ['what this host has', undefined],
])('members made by %s', (_, open) => {
  test.each(inputs)('are what gunzip reads: %s', (_, bytes) => {
    expect(gunzipSync(compressed(bytes, undefined, open)).equals(bytes)).toBe(true);
  });

  test.each([
    ['text', sources],
    ['an executable', executable],
  ])('are hardly larger than one of gzip at that level: %s', (_, bytes) => {
    const size = compressed(bytes, 6, open).length;
    expect(size).toBeLessThan(gzipSync(bytes, { level: 6 }).length * 1.06);
  });

  test('are smaller at a higher level, and stored at level 0', () => {
    const size = (level: number) => compressed(sources, level, open).length;
    expect(size(9)).toBeLessThan(size(1));
    expect(size(0)).toBeGreaterThan(sources.length);
  });

  test.each(inputs)('fit in the room that there is, at any level: %s', (_, bytes) => {
    for (const level of [0, 1, 9])
      expect(gunzipSync(compressed(bytes, level, open)).equals(bytes)).toBe(true);
  });
});

test('what looks random is stored, and costs no more than its frame', () => {
  expect(compressed(randomBytes(MIB)).length).toBeLessThan(MIB + 128);
});

test('bytes that are no text but can be squeezed are not taken for random', () => {
  const random = createRandom('numbers');
  const numbers = Buffer.from(
    Float64Array.from({ length: 65536 }, () => random.below(1000)).buffer,
  );
  expect(compressed(numbers).length).toBeLessThan(numbers.length / 2);
});
