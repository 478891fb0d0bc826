import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  gzipMembers,
  gzipRoom,
  type OpenSqueezer,
  openZlib,
} from '../../src/layer/gzip-members.ts';
import { openIsal } from '../../src/layer/isal-deflate.ts';
import { openLibdeflate } from '../../src/layer/libdeflate.ts';
import type { Squeezer } from '../../src/layer/squeezer.ts';
import { createRandom } from '../bench/random.ts';

const MIB = 1024 * 1024;
const sources = readFileSync(
  new URL('../../node_modules/undici/lib/web/fetch/index.js', import.meta.url),
);
const executable = readFileSync(process.execPath).subarray(8 * MIB, 9 * MIB);

function alone(input: Buffer, open: OpenSqueezer): Buffer {
  const output = Buffer.alloc(gzipRoom(input.length));
  using squeezer = open();
  return output.subarray(0, squeezer.squeeze(input, output));
}

function compressed(input: Buffer, level?: number, open?: OpenSqueezer): Buffer {
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

const there = (squeezer: Squeezer | undefined): Squeezer => {
  if (squeezer === undefined) throw new Error('the library is not there');
  return squeezer;
};

const WAYS: readonly (readonly [string, OpenSqueezer | undefined])[] = [
  ['zlib', openZlib],
  ['libdeflate', (level = 2) => there(openLibdeflate(level))],
  ['ISA-L', () => there(openIsal())],
  ['what this host has', undefined],
];

describe.each(WAYS)('members made by %s', (_, open) => {
  test.each(inputs)('say nothing but the bytes: %s', (_, bytes) => {
    const made = compressed(bytes, undefined, open);
    // No flags, no time: https://www.rfc-editor.org/rfc/rfc1952#section-2.3
    expect([...made.subarray(0, 8)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
    compressed(executable, undefined, open);
    expect(compressed(bytes, undefined, open).equals(made)).toBe(true);
  });

  test('are the same, whatever was squeezed before', () => {
    const output = Buffer.alloc(MIB);
    using used = (open ?? openZlib)();
    used.squeeze(executable, output);
    const size = used.squeeze(sources, output);
    expect(output.subarray(0, size).equals(alone(sources, open ?? openZlib))).toBe(true);
  });

  test('are refused where there is no room for them', () => {
    using squeezer = (open ?? openZlib)();
    const output = Buffer.alloc(5100, 7);
    expect(squeezer.squeeze(randomBytes(5000), output.subarray(0, 5000))).toBe(0);
    expect(output.subarray(5000)).toEqual(Buffer.alloc(100, 7));
  });

  test.each(inputs)('are what gunzip reads: %s', (_, bytes) => {
    expect(gunzipSync(compressed(bytes, undefined, open)).equals(bytes)).toBe(true);
  });
});

describe.each(WAYS.filter(([name]) => name !== 'ISA-L'))(
  'members made by %s at a level',
  (_, open) => {
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
  },
);

test.each([
  ['text', sources, 1.3],
  ['an executable', executable, 1.15],
])('ISA-L makes somewhat more than gzip of %s', (_, bytes, ratio) => {
  const size = compressed(bytes, undefined, () => there(openIsal())).length;
  expect(size).toBeLessThan(gzipSync(bytes).length * ratio);
});

test('without a level, ISA-L is used', () => {
  const isal = compressed(sources, undefined, () => there(openIsal()));
  expect(compressed(sources).equals(isal)).toBe(true);
  expect(compressed(sources, 2).equals(isal)).toBe(false);
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
