import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import type { FakeRegistry } from '../helpers/registry.ts';
import {
  blob,
  readAll,
  repositoryAt,
  testClient,
  testRegistry,
} from '../helpers/registry-client.ts';
import { repositoryOf } from '../helpers/registry-endpoints.ts';
import { alterBody, status } from '../helpers/registry-faults.ts';

const manifest = blob(
  Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, layers: [] })),
  OCI_MANIFEST,
);
const { bytes, ...descriptor } = manifest;

async function stocked(): Promise<FakeRegistry> {
  const registry = await testRegistry();
  const repository = repositoryOf(registry.repositories, 'team/app');
  repository.manifests.set(manifest.digest, { mediaType: OCI_MANIFEST, bytes });
  repository.tags.set('1', manifest.digest);
  return registry;
}

test('a tag is resolved without fetching the manifest, and absence is undefined', async () => {
  const registry = await stocked();
  const repository = repositoryAt(registry);
  expect(await repository.resolve('1')).toEqual(descriptor);
  expect(await repository.resolve(manifest.digest)).toEqual(descriptor);
  expect(await repository.resolve('2')).toBeUndefined();
  expect(
    registry.log(({ path }) => path.includes('manifests')).map((line) => line.split(' ')[0]),
  ).toEqual(['HEAD', 'HEAD', 'HEAD']);
  expect(registry.requests.at(-1)?.headers.accept).toContain(`${OCI_INDEX}, ${OCI_MANIFEST}`);
});

test.each([
  ['HEAD is not known', status(405, { method: 'HEAD' })],
  [
    'HEAD has a length of 0',
    status(
      200,
      { method: 'HEAD' },
      {
        'content-type': OCI_MANIFEST,
        'docker-content-digest': `sha256:${'0'.repeat(64)}`,
        'content-length': '0',
      },
    ),
  ],
  ['HEAD has no digest', status(200, { method: 'HEAD' }, { 'content-type': OCI_MANIFEST })],
  [
    'HEAD does not tell the type',
    status(
      200,
      { method: 'HEAD' },
      { 'docker-content-digest': manifest.digest, 'content-type': 'text/plain' },
    ),
  ],
])('where %s, the manifest is fetched to describe it', async (_name, fault) => {
  const registry = await stocked();
  registry.faults.push(fault);
  expect(await repositoryAt(registry).resolve('1')).toEqual(descriptor);
});

test('a manifest is fetched with its descriptor in one request', async () => {
  const registry = await stocked();
  expect(await repositoryAt(registry).fetchManifest('1')).toEqual({ descriptor, bytes });
});

test.each(['1', manifest.digest])(
  'a manifest of other bytes than promised (%s) is found out',
  async (reference) => {
    const registry = await stocked();
    registry.faults.push(
      alterBody((body) => Buffer.concat([body, Buffer.from(' ')]), {
        method: 'GET',
        path: '/manifests/',
      }),
    );
    await expect(repositoryAt(registry).fetchManifest(reference)).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    });
  },
);

test('a digest other than the one that was asked for is found out', async () => {
  const registry = await stocked();
  const other = `sha256:${'a'.repeat(64)}`;
  registry.faults.push(
    status(
      200,
      { method: 'HEAD' },
      { 'docker-content-digest': other, 'content-type': OCI_MANIFEST, 'content-length': '9' },
    ),
  );
  await expect(repositoryAt(registry).resolve(manifest.digest)).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
  });
});

test('a manifest without end is not read', async () => {
  const registry = await stocked();
  registry.faults.push(
    alterBody(() => Buffer.alloc(5_000_000), { method: 'GET', path: '/manifests/' }),
  );
  await expect(repositoryAt(registry).fetchManifest('1')).rejects.toMatchObject({
    code: 'REGISTRY',
    message: expect.stringContaining('4 MiB'),
  });
});

test.each([
  ['application/json', DOCKER_MANIFEST, DOCKER_MANIFEST],
  [OCI_MANIFEST, undefined, OCI_MANIFEST],
  ['text/plain; charset=utf-8', undefined, OCI_MANIFEST],
])('served as %s and saying %s, a manifest is %s', async (type, own, expected) => {
  const registry = await stocked();
  const body = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      ...(own ? { mediaType: own } : {}),
      config: {},
      layers: [],
    }),
  );
  registry.faults.push(
    status(200, { method: 'GET', path: '/manifests/' }, { 'content-type': type }, body.toString()),
  );
  expect((await repositoryAt(registry).fetchManifest('1'))?.descriptor.mediaType).toBe(expected);
});

test('as content, a manifest is fetched, pushed and tagged like any other', async () => {
  const registry = await stocked();
  const repository = repositoryAt(registry, {}, 'other');
  const open = async () => Readable.from([bytes]);
  expect(await repository.exists(descriptor)).toBe(false);
  expect(await repository.push(descriptor, open)).toBe('pushed');
  expect(await repository.push(descriptor, open)).toBe('exists');
  await repository.tag('v1', descriptor);
  expect(await readAll(await repository.fetch(descriptor))).toEqual(bytes);
  expect(await repository.resolve('v1')).toEqual(descriptor);
  await expect(repository.fetch({ ...descriptor, size: 3 })).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
  });
});

test('bytes that are not what their descriptor says are not pushed', async () => {
  const registry = await stocked();
  const repository = repositoryAt(registry, {}, 'other');
  await expect(
    repository.push(descriptor, async () => Readable.from([Buffer.from('{}')])),
  ).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  expect(registry.log(({ method }) => method === 'PUT')).toEqual([]);
});

test('a warning of the registry is told once', async () => {
  const registry = await testRegistry({
    intercept: (_request, response) => {
      response.setHeader('warning', ['299 - "this registry \\"old\\" goes away"', '110 - "stale"']);
      return false;
    },
  });
  const told: string[] = [];
  const repository = testClient({ onWarning: (message) => told.push(message) }).repository({
    registry: registry.host,
    repository: 'a',
  });
  await repository.resolve('1');
  await repository.resolve('2');
  expect(told).toEqual([`${registry.host}: this registry "old" goes away`]);
});

test('a rate limit is waited for as long as the registry says, and told', async () => {
  const registry = await stocked();
  registry.faults.push(status(429, { method: 'HEAD' }, { 'retry-after': '8' }));
  const told: string[] = [];
  expect(
    await repositoryAt(registry, { onWarning: (message) => told.push(message) }).resolve('1'),
  ).toEqual(descriptor);
  expect(told).toEqual([`${registry.host} limits the rate of requests; waiting 9 s`]);
});

test('a rate limit of hours is an error that says how long', async () => {
  const registry = await stocked();
  registry.faults.push(status(429, { method: 'HEAD' }, { 'retry-after': '7200' }));
  await expect(repositoryAt(registry).resolve('1')).rejects.toMatchObject({
    code: 'REGISTRY_RATE_LIMIT',
    retryAfterMilliseconds: 7_200_000,
    hint: expect.stringContaining('7200 s'),
  });
});

test.each([
  ['text/html', '<html>sign in</html>'],
  ['application/json', '"no document"'],
])('an answer of %s that is no document is nonsense', async (type, body) => {
  const registry = await stocked();
  const page = status(200, { path: '/manifests/' }, { 'content-type': type }, body);
  registry.faults.push(page, page);
  await expect(repositoryAt(registry).resolve('1')).rejects.toMatchObject({
    code: 'REGISTRY',
    message: expect.stringContaining(`is no manifest, but ${type}`),
  });
});
