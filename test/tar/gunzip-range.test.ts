import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import zlibSync from 'zlib-sync';
import { gunzipRange } from '../../src/tar/gunzip-range.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

/** What is written of a file, and whether that is all. */
function gunzip(bytes: Buffer): { all: boolean; output: Buffer; input: number } {
  const file = join(tempDirectory(), 'a.gz');
  writeFileSync(file, bytes);
  const chunks: Buffer[] = [];
  let input = 0;
  const sinks = {
    onInput: (piece: Uint8Array) => {
      input += piece.length;
    },
    write: (chunk: Buffer) => void chunks.push(chunk),
  };
  const all = gunzipRange({ file, offset: 0, size: bytes.length }, sinks, 'read it');
  return { all, output: Buffer.concat(chunks), input };
}

describe('one gzip member in a file', () => {
  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['one byte', Buffer.of(7)],
    ['noise', randomBytes(300_000)],
    ['a little more than the output buffer', Buffer.alloc(256 * 1024 + 1, 'ab')],
    ['zeros, a thousand times smaller', Buffer.alloc(40_000_000)],
  ])('that holds %s is inflated', (_, plain) => {
    const bytes = gzipSync(plain);
    const { all, output, input } = gunzip(bytes);
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
    ['is no gzip', () => Buffer.from('text')],
  ])('that %s is damaged', (_, damage) => {
    expect(() => gunzip(damage(gzipSync('some text')))).toThrow(
      expect.objectContaining({
        code: 'ARCHIVE',
        message: 'read it: the compressed data is damaged',
      }),
    );
  });

  test.each([gzipSync(''), gzipSync('more'), Buffer.alloc(1), Buffer.from('junk')])(
    'with something behind it is left to others',
    (more) => {
      expect(gunzip(Buffer.concat([gzipSync('some text'), more])).all).toBe(false);
    },
  );
});

test('zlib-sync does not say where a member ends, which is why files of several are left to others', () => {
  const inflate = new zlibSync.Inflate({ windowBits: 31 });
  inflate.push(Buffer.concat([gzipSync('one'), gzipSync('two')]), zlibSync.Z_SYNC_FLUSH);
  expect(inflate.err).toBe(zlibSync.Z_STREAM_END);
  expect(String(inflate.result)).toBe('one');
  inflate.push(gzipSync('two'), zlibSync.Z_SYNC_FLUSH);
  expect(String(inflate.result)).toBe('');
});

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length + at]! ^= 1;
  return copy;
}
