import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { FakeRegistry } from '../helpers/registry.ts';
import {
  blob,
  fakeClock,
  noise,
  readAll,
  repositoryAt,
  testRegistry,
} from '../helpers/registry-client.ts';
import { repositoryOf } from '../helpers/registry-endpoints.ts';
import { alterBody, breakBody, reset, stall, status } from '../helpers/registry-faults.ts';

const layer = blob(noise(300_000));
const path = '/blobs/';

async function stocked(): Promise<FakeRegistry> {
  const registry = await testRegistry();
  repositoryOf(registry.repositories, 'team/app').blobs.set(layer.digest, layer.bytes);
  return registry;
}

test('a blob comes as it is, with progress', async () => {
  const registry = await stocked();
  const seen: number[] = [];
  const stream = await repositoryAt(registry).fetch(layer, {
    onProgress: (current) => seen.push(current),
  });
  expect((await readAll(stream)).equals(layer.bytes)).toBe(true);
  expect(seen.at(-1)).toBe(layer.size);
});

test('a blob that is not there is an error before any stream', async () => {
  const registry = await stocked();
  const other = blob(noise(10, 9));
  await expect(repositoryAt(registry).fetch(other)).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: `${registry.host}/team/app has no blob ${other.digest}`,
  });
});

test('an empty blob has no bytes, and is verified too', async () => {
  const registry = await stocked();
  const empty = blob(Buffer.alloc(0));
  repositoryOf(registry.repositories, 'team/app').blobs.set(empty.digest, empty.bytes);
  expect(await readAll(await repositoryAt(registry).fetch(empty))).toEqual(empty.bytes);
});

test.each([
  ['cut off once', [breakBody(100_000, 'reset', { path })], ['bytes=100000-']],
  [
    'cut off three times',
    [1000, 2000, 3000].map((at) => breakBody(at, 'reset', { path })),
    ['bytes=1000-', 'bytes=3000-', 'bytes=6000-'],
  ],
  ['silent', [breakBody(50_000, 'stall', { path })], ['bytes=50000-']],
  ['cut off behind its last byte', [breakBody(layer.size, 'reset', { path })], []],
  ['cut off before the answer', [reset({ path }), reset({ path })], [undefined, undefined]],
  ['without an answer', [stall({ path })], [undefined]],
  [
    'out of service',
    [status(503, { path }), status(429, { path }, { 'retry-after': '2' })],
    [undefined, undefined],
  ],
])('a transfer that is %s is taken up where it broke', async (_name, faults, ranges) => {
  const registry = await stocked();
  registry.faults.push(...faults);
  const stream = await repositoryAt(registry, { stallMilliseconds: 1000 }).fetch(layer);
  expect((await readAll(stream)).equals(layer.bytes)).toBe(true);
  const asked = registry.requests
    .filter((request) => request.path.includes(path))
    .map(({ headers }) => headers.range);
  expect(asked.slice(1)).toEqual(ranges);
});

test('a server without ranges sends it all again, and what we have is read over', async () => {
  const registry = await testRegistry({
    intercept: (request) => {
      delete request.headers.range;
      return false;
    },
  });
  repositoryOf(registry.repositories, 'team/app').blobs.set(layer.digest, layer.bytes);
  registry.faults.push(breakBody(100_001, 'reset', { path }));
  expect((await readAll(await repositoryAt(registry).fetch(layer))).equals(layer.bytes)).toBe(true);
});

test('a server that breaks off each time after a few bytes is given up, not followed for ever', async () => {
  const registry = await stocked();
  registry.faults.push(...Array.from({ length: 50 }, () => breakBody(10, 'reset', { path })));
  const clock = fakeClock();
  const stream = await repositoryAt(registry, { clock }).fetch(layer);
  await expect(readAll(stream)).rejects.toMatchObject({ code: 'NETWORK', host: registry.host });
  expect(clock.waits.length).toBeLessThan(10);
});

test('a server that trickles is given up, although it is never silent for long', async () => {
  const registry = await testRegistry({
    intercept: (request, response) => {
      if (!request.url?.includes(path)) return false;
      // One write for each byte would be joined on the way.
      const trickle = () => response.destroyed || response.write('x', () => setImmediate(trickle));
      trickle();
      return true;
    },
  });
  let time = 0;
  const clock = { ...fakeClock(), now: () => (time += 61_000) };
  const stream = await repositoryAt(registry, { clock }).fetch(layer);
  await expect(readAll(stream)).rejects.toMatchObject({
    code: 'NETWORK',
    host: registry.host,
    message: expect.stringMatching(/only \d+ bytes/),
  });
});

const flip = (bytes: Buffer) => {
  const changed = Buffer.from(bytes);
  changed[200_000]! ^= 1;
  return changed;
};
test.each([
  ['other bytes', flip, 'digest'],
  [
    'too many bytes',
    (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(7)]),
    '300007 bytes instead of 300000',
  ],
])('a registry that sends %s is found out', async (_name, alter, why) => {
  const registry = await stocked();
  registry.faults.push(alterBody(alter, { path }));
  const reading = repositoryAt(registry).fetch(layer).then(readAll);
  await expect(reading).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
    message: expect.stringContaining(why),
  });
});

test('a registry that always sends too few bytes is given up', async () => {
  const registry = await stocked();
  registry.faults.push(
    ...Array.from({ length: 30 }, () =>
      alterBody((bytes) => bytes.subarray(0, Math.min(bytes.length, 1000)), { path }),
    ),
  );
  await expect(repositoryAt(registry).fetch(layer).then(readAll)).rejects.toMatchObject({
    code: 'NETWORK',
  });
});

test('an abort ends the transfer with its reason', async () => {
  const registry = await stocked();
  registry.faults.push(breakBody(1000, 'stall', { path }));
  const controller = new AbortController();
  const reason = new Error('enough');
  const stream = await repositoryAt(registry).fetch(layer, {
    signal: controller.signal,
    onProgress: () => controller.abort(reason),
  });
  await expect(readAll(stream)).rejects.toBe(reason);
});

test('a stream that is dropped unread gives its connection back', async () => {
  const registry = await stocked();
  const repository = repositoryAt(registry, { connections: 1 });
  for (let round = 0; round < 3; round += 1) {
    const stream = await repository.fetch(layer);
    stream.destroy();
    await turn();
  }
  expect(await repository.exists(layer)).toBe(true);
});

test('no more connections are open at once than allowed', async () => {
  let open = 0;
  let most = 0;
  const registry = await testRegistry({
    intercept: (_request, response) => {
      open += 1;
      most = Math.max(most, open);
      // Answers take their time, so that more would be open if more could be.
      setTimeout(() => {
        open -= 1;
        response.end(layer.bytes);
      }, 10);
      return true;
    },
  });
  const repository = repositoryAt(registry, { connections: 2 });
  await Promise.all(Array.from({ length: 10 }, async () => readAll(await repository.fetch(layer))));
  expect(most).toBe(2);
});
