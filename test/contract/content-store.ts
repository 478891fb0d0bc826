/** What everything that holds content owes: {@link Fetcher} and {@link Pusher}. Each implementation's test calls this. */
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { Fetcher, Pusher } from '../../src/oci/content.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';

export function descriptorOf(
  bytes: Uint8Array,
  mediaType = 'application/octet-stream',
): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
}

export function contentStoreContract(
  name: string,
  create: () => Promise<Fetcher & Pusher> | (Fetcher & Pusher),
): void {
  const bytes = Buffer.alloc(30_000, 'content ');
  const blob = descriptorOf(bytes);
  const open = async () => Readable.from([bytes.subarray(0, 10_000), bytes.subarray(10_000)]);

  describe(`${name} as a content store`, () => {
    test('gives back what was pushed', async () => {
      const store = await create();
      expect(await store.exists(blob)).toBe(false);
      expect(await store.push(blob, open)).toBe('pushed');
      expect(await store.exists(blob)).toBe(true);
      expect(await buffer(await store.fetch(blob))).toEqual(bytes);
    });

    test('takes an empty blob', async () => {
      const store = await create();
      const empty = descriptorOf(Buffer.alloc(0));
      await store.push(empty, async () => Readable.from([]));
      expect(await buffer(await store.fetch(empty))).toHaveLength(0);
    });

    test('does not ask for bytes that it has', async () => {
      const store = await create();
      await store.push(blob, open);
      const outcome = await store.push(blob, () => Promise.reject(new Error('opened')));
      expect(outcome).toBe('exists');
    });

    test('takes the same blob from several at once', async () => {
      const store = await create();
      await Promise.all([1, 2, 3, 4].map(() => store.push(blob, open)));
      expect(await buffer(await store.fetch(blob))).toEqual(bytes);
    });

    test.each([
      ['other bytes', { ...blob, digest: digestOf('else') }],
      ['more bytes than promised', { ...blob, size: blob.size - 1 }],
      ['fewer bytes than promised', { ...blob, size: blob.size + 1 }],
    ])('refuses %s and stores nothing', async (_case, descriptor) => {
      const store = await create();
      await expect(store.push(descriptor, open)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
      expect(await store.exists(descriptor)).toBe(false);
      expect(await store.exists(blob)).toBe(false);
    });

    test('stores nothing when the source breaks', async () => {
      const store = await create();
      const broken = async () => Readable.from(breaking(bytes));
      await expect(store.push(blob, broken)).rejects.toThrow('the source broke');
      expect(await store.exists(blob)).toBe(false);
    });

    test('says NOT_FOUND for what it does not have', async () => {
      const store = await create();
      await expect(store.fetch(blob)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    test('stops a push that is aborted, and destroys its source', async () => {
      const store = await create();
      const controller = new AbortController();
      const stalled = new Readable({ read() {} });
      const pushing = store.push(blob, async () => stalled, { signal: controller.signal });
      stalled.push(bytes.subarray(0, 1000));
      setImmediate(() => controller.abort(new Error('enough')));
      await expect(pushing).rejects.toThrow('enough');
      if (!stalled.closed) await once(stalled, 'close');
      expect(await store.exists(blob)).toBe(false);
    });
  });
}

function* breaking(bytes: Buffer): Generator<Buffer> {
  yield bytes.subarray(0, 1000);
  throw new Error('the source broke');
}
