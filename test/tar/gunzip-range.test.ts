import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import zlibSync from 'zlib-sync';
import { openRange } from '../../src/host/range-reader.ts';
import { byIsal, byZlibSync, type GunzipRange, gunzipRange } from '../../src/tar/gunzip-range.ts';
import { isalGunzip } from '../../src/tar/isal-gunzip.ts';
import { createRandom } from '../bench/random.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

/** What is written of a file, and whether that is all. */
function gunzip(bytes: Buffer, by: GunzipRange) {
  const file = join(tempDirectory(), 'a.gz');
  writeFileSync(file, bytes);
  const chunks: Buffer[] = [];
  let input = 0;
  const sinks = {
    onInput: (piece: Uint8Array) => {
      input += piece.length;
    },
    // It is lent.
    write: (chunk: Buffer) => void chunks.push(Buffer.from(chunk)),
  };
  using range = openRange({ file, offset: 0, size: bytes.length });
  const all = by(range, sinks, 'read it');
  return { all, output: Buffer.concat(chunks), input };
}

const damagedError = expect.objectContaining({
  code: 'ARCHIVE',
  message: 'read it: the compressed data is damaged',
});

const WAYS: readonly (readonly [string, GunzipRange])[] = [
  ['ISA-L', byIsal],
  ['zlib-sync', byZlibSync],
];

describe.each(WAYS)('one gzip member in a file, read by %s,', (_, by) => {
  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['one byte', Buffer.of(7)],
    ['noise', randomBytes(300_000)],
    ['as much as the output buffer', Buffer.alloc(256 * 1024, 'ab')],
    ['a little more than the output buffer', Buffer.alloc(256 * 1024 + 1, 'ab')],
    ['zeros, a thousand times smaller', Buffer.alloc(40_000_000)],
  ])('that holds %s is inflated', (_, plain) => {
    const bytes = gzipSync(plain);
    const { all, output, input } = gunzip(bytes, by);
    expect(all).toBe(true);
    expect(output.equals(plain)).toBe(true);
    expect(input).toBe(bytes.length);
  });

  test.each<[string, (bytes: Buffer) => Buffer]>([
    ['is cut', (bytes) => bytes.subarray(0, -1)],
    ['is cut in its header', (bytes) => bytes.subarray(0, 5)],
    ['is empty', () => Buffer.alloc(0)],
    ['has another checksum', (bytes) => flipped(bytes, -8)],
    ['has another size', (bytes) => flipped(bytes, -1)],
    ['has flags that nobody knows', (bytes) => flipped(bytes, 3 - bytes.length, 0x80)],
    ['is no gzip', () => Buffer.from('text')],
  ])('that %s is damaged', (_, damage) => {
    expect(() => gunzip(damage(gzipSync('some text')), by)).toThrow(damagedError);
  });
});

const member = gzipSync('some text');

test.each([gzipSync(''), gzipSync('more'), Buffer.alloc(1), Buffer.from('junk')])(
  'zlib-sync leaves what has something behind the member to others',
  (more) => {
    expect(gunzip(Buffer.concat([member, more]), byZlibSync).all).toBe(false);
  },
);

test('zlib-sync does not say where a member ends, which is why files of several are left to others', () => {
  const inflate = new zlibSync.Inflate({ windowBits: 31 });
  inflate.push(Buffer.concat([gzipSync('one'), gzipSync('two')]), zlibSync.Z_SYNC_FLUSH);
  expect(inflate.err).toBe(zlibSync.Z_STREAM_END);
  expect(String(inflate.result)).toBe('one');
  inflate.push(gzipSync('two'), zlibSync.Z_SYNC_FLUSH);
  expect(String(inflate.result)).toBe('');
});

describe('ISA-L', () => {
  test.each<[string, Buffer]>([
    ['another member', gzipSync('more')],
    ['empty members', Buffer.concat([gzipSync(''), gzipSync('')])],
    ['a zero', Buffer.alloc(1)],
    ['zeros', Buffer.alloc(600)],
    ['zeros and junk', Buffer.concat([Buffer.alloc(9), Buffer.from('junk')])],
  ])('reads as zlib does: a member with %s behind it', (_, more) => {
    const bytes = Buffer.concat([member, more]);
    const { all, output, input } = gunzip(bytes, gunzipRange);
    expect(all).toBe(true);
    expect(output.equals(gunzipSync(bytes))).toBe(true);
    expect(input).toBe(bytes.length);
  });

  test.each<[string, Buffer]>([
    ['junk', Buffer.from('junk')],
    ['a byte that is not zero', Buffer.of(1)],
    ['half a header', gzipSync('more').subarray(0, 7)],
    ['half a member', gzipSync('more').subarray(0, -5)],
    ['a header without an end', headerWith(8, Buffer.alloc(2_000_000, 'n'))],
  ])('refuses as zlib does: a member with %s behind it', (_, more) => {
    const bytes = Buffer.concat([member, more]);
    expect(() => gunzip(bytes, byIsal)).toThrow(damagedError);
    expect(() => gunzipSync(bytes)).toThrow();
  });

  test('reads pieces of any size, with every field that a header may have', () => {
    const fields = Buffer.from('\x04\0AB\0\0name\0comment\0', 'latin1');
    const header = headerWith(2 | 4 | 8 | 16, fields);
    const sum = Buffer.alloc(2);
    sum.writeUInt16LE(crc32(header) & 0xffff);
    const full = Buffer.concat([header, sum, member.subarray(10)]);
    const bytes = Buffer.concat([full, member, full]);
    for (let step = 1; step <= bytes.length; step += 1)
      expect(String(inSteps(bytes, () => step))).toBe('some text'.repeat(3));
    expect(inSteps(flipped(bytes, header.length - bytes.length), () => 5)).toBeUndefined();
  });

  test('gives what zlib gives, whatever is done to the bytes', () => {
    const random = createRandom('gunzip');
    const noise = randomBytes(3000);
    const texts = ['', 'a', 'ab'.repeat(5000), noise.toString('hex'), noise.toString('latin1')];
    for (let round = 0; round < 3000; round += 1) {
      const members = [...Array(1 + random.below(2))].map(() =>
        gzipSync(texts[random.below(texts.length)]!, { level: random.below(10) }),
      );
      const bytes = Buffer.concat(members);
      if (round % 4 > 0) bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
      const input = round % 3 > 0 ? bytes : bytes.subarray(0, random.below(bytes.length));
      const plain = inSteps(input, () => 1 + random.below(200));
      // It takes codes that are not complete, which zlib refuses; the checksum holds for both.
      if (plain === undefined) expect(() => gunzipSync(input)).toThrow();
      else expect(plain).toEqual(byZlib(input) ?? expect.anything());
    }
  });
});

/** `undefined` if it is damaged. */
function inSteps(bytes: Buffer, step: () => number): Buffer | undefined {
  const chunks: Buffer[] = [];
  const gunzip = isalGunzip((chunk) => void chunks.push(Buffer.from(chunk)))!;
  try {
    for (let at = 0; at < bytes.length; ) {
      const size = step();
      gunzip.push(bytes.subarray(at, at + size));
      at += size;
    }
    gunzip.end();
  } catch (error) {
    expect(error).toMatchObject({ code: 'Z_DATA_ERROR' });
    return undefined;
  }
  return Buffer.concat(chunks);
}

function byZlib(bytes: Buffer): Buffer | undefined {
  try {
    return gunzipSync(bytes);
  } catch {
    return undefined;
  }
}

function headerWith(flags: number, fields: Buffer): Buffer {
  const header = Buffer.from(member.subarray(0, 10));
  header[3] = flags;
  return Buffer.concat([header, fields]);
}

function flipped(bytes: Buffer, at: number, bits = 1): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length + at]! ^= bits;
  return copy;
}
