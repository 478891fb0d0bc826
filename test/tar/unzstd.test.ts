import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect, test } from 'vitest';
import { unzstdStream } from '../../src/tar/unzstd.ts';

const compressed = (bytes: Buffer) =>
  execFileSync('zstd', ['-qc'], { input: bytes, maxBuffer: 2 ** 26 });

async function plain(bytes: Buffer, step = 65_536): Promise<Buffer> {
  const parts = function* () {
    for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
  };
  const chunks: Buffer[] = [];
  await pipeline(Readable.from(parts()), unzstdStream()!, async (source: AsyncIterable<Buffer>) => {
    for await (const chunk of source) chunks.push(chunk);
  });
  return Buffer.concat(chunks);
}

const text = Buffer.from('what repeats and repeats, '.repeat(5000));
const random = randomBytes(300_000);

test.each([
  ['nothing', [Buffer.alloc(0)]],
  ['text', [text]],
  ['random bytes', [random]],
  ['much of little', [Buffer.alloc(10_000_000)]],
  ['as much as comes out at once', [Buffer.alloc(256 * 1024)]],
  ['several frames', [text, random, Buffer.alloc(0), text]],
])('what zstd made comes out as it was: %s', async (_, inputs) => {
  const bytes = Buffer.concat(inputs.map(compressed));
  expect((await plain(bytes)).equals(Buffer.concat(inputs))).toBe(true);
});

test('in steps of any size', async () => {
  expect((await plain(compressed(text), 1)).equals(text)).toBe(true);
});

test.each([
  ['ends early', (bytes: Buffer) => bytes.subarray(0, -1)],
  ['goes on with something else', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('else')])],
  [
    'has another checksum',
    (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.of(bytes.at(-1)! ^ 1)]),
  ],
])('what %s is damaged', async (_, damage) => {
  await expect(plain(damage(compressed(random)))).rejects.toMatchObject({
    code: expect.stringMatching(/^ZSTD_/),
  });
});

test('who has enough may leave in the middle', async () => {
  const stream = unzstdStream()!;
  const closed = once(stream, 'close');
  let chunks = 0;
  stream.on('data', () => {
    chunks += 1;
    stream.destroy();
  });
  stream.write(compressed(Buffer.alloc(10_000_000)));
  await closed;
  expect(chunks).toBe(1);
});
