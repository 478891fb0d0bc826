import { expect, test } from 'vitest';
import { blob, noise, readAll, testClient, testRegistry } from '../helpers/registry-client.ts';
import { repositoryOf } from '../helpers/registry-endpoints.ts';
import { breakBody, status } from '../helpers/registry-faults.ts';
import { putImage } from '../helpers/registry-images.ts';

const layer = blob(noise(1000));
/** More than a mirror is asked again. */
const failing = Array.from({ length: 2 }, () => status(503, { path: '/blobs/' }));

async function setUp(mirrorCount = 1) {
  const origin = await testRegistry();
  const mirrors = await Promise.all(Array.from({ length: mirrorCount }, () => testRegistry()));
  const warnings: string[] = [];
  const client = testClient({
    mirrors: (registry) =>
      registry === origin.host
        ? mirrors.map(({ host }) => ({ registry: host, prefix: 'hub/' }))
        : [],
    stallMilliseconds: 300,
    onWarning: (message) => warnings.push(message),
  });
  const reference = { registry: origin.host, repository: 'team/app' };
  return { origin, mirrors, warnings, client, source: client.source(reference), reference };
}

test('what a mirror has is fetched from it alone', async () => {
  const { origin, mirrors, source } = await setUp();
  const { manifest } = putImage(mirrors[0]!, { repository: 'hub/team/app', tag: '1' });
  expect(await source.resolve('1')).toMatchObject({ digest: manifest.digest });
  expect(origin.requests).toEqual([]);
});

test('what the first lacks comes from the next, and what all lack from the registry', async () => {
  const { origin, mirrors, source, warnings } = await setUp(2);
  repositoryOf(mirrors[1]!.repositories, 'hub/team/app').blobs.set(layer.digest, layer.bytes);
  const { manifest } = putImage(origin, { tag: '1' });
  expect(await readAll(await source.fetch(layer))).toEqual(layer.bytes);
  expect(await source.resolve('1')).toMatchObject({ digest: manifest.digest });
  expect(await source.exists(layer)).toBe(true);
  expect(warnings).toEqual([]);
});

test('a mirror that is down is told of once and left alone', async () => {
  const { origin, mirrors, source, warnings } = await setUp();
  const { manifest, config } = putImage(origin, { tag: '1' });
  await mirrors[0]![Symbol.asyncDispose]();
  expect(await source.resolve('1')).toMatchObject({ digest: manifest.digest });
  await readAll(await source.fetch(config));
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain(`mirror ${mirrors[0]!.host}`);
});

test('a mirror with something else under a digest is not believed', async () => {
  const { origin, mirrors, source, warnings } = await setUp();
  const { manifest } = putImage(origin, { tag: '1' });
  const wrong = { mediaType: manifest.mediaType, bytes: Buffer.from('{"schemaVersion":2}') };
  repositoryOf(mirrors[0]!.repositories, 'hub/team/app').manifests.set(manifest.digest, wrong);
  const bytes = await readAll(await source.fetch(manifest));
  expect(bytes.length).toBe(manifest.size);
  expect(warnings).toHaveLength(1);
});

test.each([
  ['breaks off', 'reset'],
  ['goes silent', 'stall'],
] as const)('where a mirror %s in the middle of a blob, the next goes on', async (_how, then) => {
  const { origin, mirrors, source, warnings } = await setUp(2);
  const large = blob(noise(200_000));
  for (const mirror of mirrors)
    repositoryOf(mirror.repositories, 'hub/team/app').blobs.set(large.digest, large.bytes);
  repositoryOf(origin.repositories, 'team/app').blobs.set(large.digest, large.bytes);
  const where = { path: '/blobs/' };
  mirrors[0]!.faults.push(breakBody(70_000, then, where), ...failing);
  mirrors[1]!.faults.push(breakBody(30_000, then, where), ...failing);
  const moved: number[] = [];
  const stream = await source.fetch(large, { onProgress: (current) => moved.push(current) });
  expect(await readAll(stream)).toEqual(large.bytes);
  expect(moved).toEqual(moved.toSorted((a, b) => a - b));
  expect(warnings.map((text) => text.split(': ')[0])).toEqual(
    mirrors.map(({ host }) => `mirror ${host}`),
  );
  expect(origin.requests.at(-1)).toMatchObject({
    method: 'GET',
    headers: { range: 'bytes=100000-' },
  });
});

test('a blob of two halves that do not belong together is not believed', async () => {
  const { origin, mirrors, source } = await setUp();
  const [one, other] = [blob(noise(100_000)), noise(100_000, 2)];
  repositoryOf(mirrors[0]!.repositories, 'hub/team/app').blobs.set(one.digest, other);
  repositoryOf(origin.repositories, 'team/app').blobs.set(one.digest, one.bytes);
  mirrors[0]!.faults.push(breakBody(50_000, 'reset', { path: '/blobs/' }), ...failing);
  await expect(source.fetch(one).then(readAll)).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
    message: expect.stringContaining(mirrors[0]!.host),
  });
});

test('where the registry breaks off for good as well, its failure is told', async () => {
  const { origin, mirrors, source } = await setUp();
  repositoryOf(mirrors[0]!.repositories, 'hub/team/app').blobs.set(layer.digest, layer.bytes);
  mirrors[0]!.faults.push(breakBody(500, 'reset', { path: '/blobs/' }), ...failing);
  origin.faults.push(...failing, ...failing, ...failing);
  await expect(source.fetch(layer).then(readAll)).rejects.toMatchObject({
    code: 'REGISTRY',
    host: origin.host,
  });
});

test('pushes go to the registry itself', async () => {
  const { origin, mirrors, client, reference } = await setUp();
  const { bytes, ...descriptor } = layer;
  const { Readable } = await import('node:stream');
  await client.repository(reference).push(descriptor, async () => Readable.from([bytes]));
  expect(repositoryOf(origin.repositories, 'team/app').blobs.has(layer.digest)).toBe(true);
  expect(mirrors[0]!.requests).toEqual([]);
});
