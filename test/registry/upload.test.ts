import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { TsbuildError } from '../../src/errors.ts';
import type { FakeRegistry } from '../helpers/registry.ts';
import { blob, fakeClock, noise, repositoryAt, testRegistry } from '../helpers/registry-client.ts';
import { repositoryOf } from '../helpers/registry-endpoints.ts';
import { loseAnswer, reset, stall, status } from '../helpers/registry-faults.ts';

const layer = blob(noise(400_000));
const sending = { path: '/uploads/', method: 'PUT' };

/** Opens the bytes in pieces, and counts how often. */
function source(bytes: Buffer) {
  let opened = 0;
  const open = async () => {
    opened += 1;
    return Readable.from(pieces(bytes), { objectMode: false });
  };
  return { open, opened: () => opened };
}

function* pieces(bytes: Buffer) {
  for (let at = 0; at < bytes.length; at += 30_000) yield bytes.subarray(at, at + 30_000);
}

function stored(registry: FakeRegistry, name = 'team/app'): boolean {
  return (
    repositoryOf(registry.repositories, name).blobs.get(layer.digest)?.equals(layer.bytes) ?? false
  );
}

test('a blob is sent in one request, with progress', async () => {
  const registry = await testRegistry();
  const { open, opened } = source(layer.bytes);
  const seen: number[] = [];
  const repository = repositoryAt(registry);
  expect(await repository.push(layer, open, { onProgress: (current) => seen.push(current) })).toBe(
    'pushed',
  );
  expect(stored(registry)).toBe(true);
  expect(registry.log().map((line) => line.split(' ')[0])).toEqual(['GET', 'HEAD', 'POST', 'PUT']);
  expect(registry.requests.at(-1)?.headers).toMatchObject({
    'content-length': '400000',
    'content-type': 'application/octet-stream',
  });
  expect([opened(), seen.at(-1)]).toEqual([1, layer.size]);
});

test('a blob that is there is not opened', async () => {
  const registry = await testRegistry();
  repositoryOf(registry.repositories, 'team/app').blobs.set(layer.digest, layer.bytes);
  const { open, opened } = source(layer.bytes);
  expect(await repositoryAt(registry).push(layer, open)).toBe('exists');
  expect(opened()).toBe(0);
});

test('an empty blob can be pushed', async () => {
  const registry = await testRegistry();
  const empty = blob(Buffer.alloc(0));
  expect(await repositoryAt(registry).push(empty, source(empty.bytes).open)).toBe('pushed');
  expect(repositoryOf(registry.repositories, 'team/app').blobs.has(empty.digest)).toBe(true);
});

test('a blob that another repository has is mounted', async () => {
  const registry = await testRegistry({ auth: { kind: 'token', users: { joe: 'pw123' } } });
  repositoryOf(registry.repositories, 'base').blobs.set(layer.digest, layer.bytes);
  const { open, opened } = source(layer.bytes);
  const repository = repositoryAt(registry, {
    credentials: { username: 'joe', password: 'pw123' },
  });
  expect(await repository.push(layer, open, { mountFrom: 'base' })).toBe('mounted');
  expect([stored(registry), opened()]).toEqual([true, 0]);
  const scopes = registry.requests
    .filter(({ path }) => path.startsWith('/token'))
    .map(({ path }) => new URLSearchParams(path.split('?')[1]).getAll('scope'));
  expect(scopes.at(-1)).toEqual(['repository:team/app:pull,push', 'repository:base:pull']);
});

test.each([
  ['does not have it', {}, []],
  ['does not mount', { mount: false }, []],
  ['refuses to mount', {}, [status(403, { method: 'POST' })]],
])('where the registry %s, the blob is sent', async (_name, options, faults) => {
  const registry = await testRegistry(options);
  registry.faults.push(...faults);
  expect(
    await repositoryAt(registry).push(layer, source(layer.bytes).open, { mountFrom: 'base' }),
  ).toBe('pushed');
  expect(stored(registry)).toBe(true);
});

test('an upload that breaks goes on where it broke', async () => {
  const registry = await testRegistry();
  registry.faults.push(reset(sending, 200_000));
  const { open, opened } = source(layer.bytes);
  expect(await repositoryAt(registry).push(layer, open)).toBe('pushed');
  expect(stored(registry)).toBe(true);
  const [patch] = registry.requests.filter(({ method }) => method === 'PATCH');
  const start = Number(patch?.headers['content-range']?.split('-')[0]);
  expect(start).toBeGreaterThanOrEqual(200_000);
  expect(patch?.headers['content-length']).toBe(String(layer.size - start));
  expect(opened()).toBe(2);
});

test.each([
  [
    'the registry lost the upload',
    [reset(sending, 100_000), status(404, { path: '/uploads/', method: 'GET' })],
  ],
  [
    'the status of the upload is not told',
    [reset(sending, 100_000), status(500, { path: '/uploads/', method: 'GET' })],
  ],
  ['going on fails too', [reset(sending, 100_000), reset({ method: 'PATCH' })]],
  [
    'the registry answers 5xx',
    [status(502, sending), status(503, { method: 'POST' }), status(500, { method: 'HEAD' })],
  ],
  [
    'another instance does not know the upload',
    [status(404, sending, {}, '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}')],
  ],
  ['it should come back later', [status(429, { method: 'POST' }, { 'retry-after': '3' })]],
  ['the upload cannot be begun', [reset({ method: 'POST' }), reset({ method: 'POST' })]],
  ['nothing is read', [stall(sending)]],
])('when %s, the upload succeeds all the same', async (_name, faults) => {
  const registry = await testRegistry();
  registry.faults.push(...faults);
  const repository = repositoryAt(registry, { stallMilliseconds: 1000, commitMilliseconds: 1000 });
  expect(await repository.push(layer, source(layer.bytes).open)).toBe('pushed');
  expect(stored(registry)).toBe(true);
});

test('a commit whose answer got lost is found to have happened', async () => {
  const registry = await testRegistry();
  registry.faults.push(loseAnswer(sending));
  const { open, opened } = source(layer.bytes);
  expect(await repositoryAt(registry).push(layer, open)).toBe('exists');
  expect([stored(registry), opened()]).toEqual([true, 1]);
});

test('a proxy that limits requests gets the blob in chunks', async () => {
  const registry = await testRegistry({ maximumBody: 34_000_000, minimumChunk: 1000 });
  const large = blob(Buffer.alloc(70_000_000, 'tsbuild'));
  expect(
    await repositoryAt(registry).push(large, async () =>
      Readable.from([large.bytes], { objectMode: false }),
    ),
  ).toBe('pushed');
  const ranges = registry.requests
    .filter(({ method }) => method === 'PATCH')
    .map(({ headers }) => headers['content-range']);
  expect(ranges).toEqual(['0-33554431', '33554432-67108863', '67108864-69999999']);
});

test('a slow commit is waited for, although silence elsewhere is not', async () => {
  const registry = await testRegistry({
    intercept: (request, response) => {
      if (request.method !== 'PUT') return false;
      request.resume();
      setTimeout(() => response.writeHead(201).end(), 2500);
      return true;
    },
  });
  const clock = fakeClock();
  const repository = repositoryAt(registry, { stallMilliseconds: 500, clock });
  expect(await repository.push(layer, source(layer.bytes).open)).toBe('pushed');
  expect(clock.waits).toEqual([]);
});

test('what goes wrong at the source is not taken for a fault of the network', async () => {
  const registry = await testRegistry();
  const clock = fakeClock();
  const damaged = new TsbuildError('DIGEST_MISMATCH', 'blob is damaged in the store');
  const open = async () =>
    Readable.from(
      (async function* () {
        yield layer.bytes.subarray(0, 1000);
        throw damaged;
      })(),
      { objectMode: false },
    );
  await expect(repositoryAt(registry, { clock }).push(layer, open)).rejects.toBe(damaged);
  expect(clock.waits).toEqual([]);
});

test.each([
  [
    'refuses the digest',
    status(400, sending, {}, '{"errors":[{"code":"DIGEST_INVALID","message":"no"}]}'),
    { code: 'REGISTRY', message: expect.stringContaining('DIGEST_INVALID') },
  ],
  [
    'stores something else',
    status(201, sending, { 'docker-content-digest': `sha256:${'0'.repeat(64)}` }),
    { code: 'REGISTRY', message: expect.stringContaining('instead of') },
  ],
  ['forbids it', status(403, { method: 'POST' }), { code: 'REGISTRY_AUTH' }],
  [
    'does not say where to',
    status(202, { method: 'POST' }),
    { code: 'REGISTRY', message: expect.stringContaining('where to send') },
  ],
])('a registry that %s is an error', async (_name, fault, expected) => {
  const registry = await testRegistry();
  registry.faults.push(fault);
  await expect(repositoryAt(registry).push(layer, source(layer.bytes).open)).rejects.toMatchObject(
    expected,
  );
});

test('a registry that always fails is given up after a bounded number of attempts', async () => {
  const registry = await testRegistry({
    intercept: (request) => {
      if (request.method !== 'PUT') return false;
      request.socket.destroy();
      return true;
    },
  });
  const repository = repositoryAt(registry, { retry: { attempts: 3 } });
  await expect(repository.push(layer, source(layer.bytes).open)).rejects.toMatchObject({
    code: 'NETWORK',
    host: registry.host,
  });
  expect(registry.log(({ method }) => method === 'PUT')).toHaveLength(3);
});

test('an abort ends the upload with its reason and closes the source', async () => {
  const registry = await testRegistry();
  registry.faults.push(stall(sending));
  const controller = new AbortController();
  const reason = new Error('enough');
  let closed = false;
  const open = async () =>
    Readable.from(
      (async function* () {
        try {
          controller.abort(reason);
          yield layer.bytes;
          yield layer.bytes;
        } finally {
          closed = true;
        }
      })(),
      { objectMode: false },
    );
  await expect(
    repositoryAt(registry).push(layer, open, { signal: controller.signal }),
  ).rejects.toBe(reason);
  await expect.poll(() => closed).toBe(true);
});
