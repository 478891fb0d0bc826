import { expect, test } from 'vitest';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { blob, noise, repositoryAt, testRegistry } from '../helpers/registry-client.ts';
import { repositoryOf } from '../helpers/registry-endpoints.ts';
import { status } from '../helpers/registry-faults.ts';

const { bytes, ...descriptor } = blob(noise(300_000));

/** What is made piece by piece, each when the one before was asked for. */
function making(pieces = 3) {
  let finish: (made: Descriptor | undefined) => void = () => {};
  const finished = new Promise<Descriptor | undefined>((resolve) => {
    finish = resolve;
  });
  const open = async function* () {
    const step = bytes.length / pieces;
    for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
    finish(descriptor);
  };
  return { open, finished, finish };
}

test('a blob goes to the registry while it is made, and its digest at the end', async () => {
  const registry = await testRegistry();
  const { open, finished } = making();
  expect(await repositoryAt(registry).pushGrowing(open, finished)).toBe('pushed');
  expect(repositoryOf(registry.repositories, 'team/app').blobs.get(descriptor.digest)).toEqual(
    bytes,
  );
  const [patch] = registry.requests.filter(({ method }) => method === 'PATCH');
  expect(patch!.headers).toMatchObject({ 'transfer-encoding': 'chunked' });
  expect(patch!.headers['content-length']).toBeUndefined();
  const writes = registry.requests
    .map(({ method }) => method)
    .filter((name) => name.startsWith('P'));
  expect(writes).toEqual(['POST', 'PATCH', 'PUT']);
});

test('what turns out to be there is not sent to its end', async () => {
  const registry = await testRegistry();
  repositoryOf(registry.repositories, 'team/app').blobs.set(descriptor.digest, bytes);
  const { finished, finish } = making();
  // It is known what the bytes will be, and they would never end.
  const open = async function* () {
    yield bytes.subarray(0, 1000);
    finish(descriptor);
    await new Promise(() => {});
  };
  expect(await repositoryAt(registry).pushGrowing(open, finished)).toBe('exists');
  expect(registry.log(({ method }) => method === 'DELETE')).toHaveLength(1);
});

test('a refusal is told, after which nothing is kept', async () => {
  const registry = await testRegistry();
  registry.faults.push(status(411, { method: 'PATCH' }));
  const { open, finished, finish } = making();
  const pushing = repositoryAt(registry).pushGrowing(open, finished);
  finish(descriptor);
  await expect(pushing).rejects.toMatchObject({ code: 'REGISTRY' });
  expect(registry.log(({ method }) => method === 'PUT')).toEqual([]);
});

test('what could not be made is no blob', async () => {
  const registry = await testRegistry();
  const { finished, finish } = making();
  const why = new Error('the disk is full');
  const open = async function* () {
    yield bytes.subarray(0, 1000);
    finish(undefined);
    throw why;
  };
  await expect(repositoryAt(registry).pushGrowing(open, finished)).rejects.toBe(why);
  expect(repositoryOf(registry.repositories, 'team/app').blobs.size).toBe(0);
});
