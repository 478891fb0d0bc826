import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { combineCrc32 } from '../../src/layer/crc32-combine.ts';

test('two checksums are combined to that of both pieces joined', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 5000 }), fc.uint8Array({ maxLength: 5000 }), (a, b) => {
      expect(combineCrc32(crc32(a), crc32(b), b.length)).toBe(crc32(Buffer.concat([a, b])));
    }),
  );
});

test('pieces above 4 GiB are no trouble', () => {
  // Joining 2³³ zeros in one step or in two.
  const half = combineCrc32(0, 0, 2 ** 32);
  expect(combineCrc32(123, half, 2 ** 33)).toBe(
    combineCrc32(combineCrc32(123, half, 2 ** 32), half, 2 ** 32),
  );
});
