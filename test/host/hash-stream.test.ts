import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { expect, test } from 'vitest';
import { verifyStream } from '../../src/host/hash-stream.ts';
import { digestOf } from '../../src/oci/digest.ts';

const BYTES = Buffer.from('some bytes');
const chunks = () => Readable.from([BYTES.subarray(0, 3), BYTES.subarray(3)]);

test('verifyStream passes on what was promised', async () => {
  const verified = chunks().pipe(verifyStream({ digest: digestOf(BYTES), size: BYTES.length }));
  expect(await buffer(verified)).toEqual(BYTES);
});

test.each([
  ['other bytes', { digest: digestOf('else'), size: BYTES.length }, /instead of sha256:/],
  ['fewer bytes', { digest: digestOf(BYTES), size: 11 }, /ends after 10 of 11 bytes/],
  ['more bytes', { digest: digestOf(BYTES), size: 9 }, /longer than the 9 bytes/],
])('verifyStream fails on %s', async (_case, expected, message) => {
  const reading = pipeline(
    chunks(),
    verifyStream(expected),
    async (source) => void (await buffer(source)),
  );
  await expect(reading).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
    message: expect.stringMatching(message),
  });
});

test('verifyStream fails before an endless source has ended', async () => {
  const endless = Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(1024);
    })(),
  );
  const verifier = verifyStream({ digest: digestOf(''), size: 4096 }, 'layer 3');
  await expect(
    pipeline(endless, verifier, async (source) => void (await buffer(source))),
  ).rejects.toThrow('layer 3: it is longer');
  expect(endless.destroyed).toBe(true);
});
