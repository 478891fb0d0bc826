import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { BuildEvent } from '../../src/events.ts';
import { findImage } from '../../src/image/image.ts';
import { type PullOptions, pullImage } from '../../src/image/pull.ts';
import { readIndex } from '../../src/layer/index-file.ts';
import { hexOf } from '../../src/oci/digest.ts';
import { OCI_INDEX } from '../../src/oci/media-types.ts';
import { parsePlatform } from '../../src/oci/platform.ts';
import { parseReference } from '../../src/oci/reference.ts';
import type { Store } from '../../src/store/store.ts';
import { newStore } from '../helpers/images.ts';
import type { FakeRegistry } from '../helpers/registry.ts';
import { testClient, testRegistry } from '../helpers/registry-client.ts';
import { repositoryOf } from '../helpers/registry-endpoints.ts';
import { alterBody, breakBody, reset, status } from '../helpers/registry-faults.ts';
import { putDocument, putImage, putIndex } from '../helpers/registry-images.ts';

const amd64 = parsePlatform('linux/amd64');

function pull(
  registry: FakeRegistry,
  store: Store,
  options: Partial<PullOptions> & { name?: string } = {},
) {
  const reference = parseReference(`${registry.host}/${options.name ?? 'team/app:1'}`);
  const source = testClient({ stallMilliseconds: 1000, retry: { attempts: 4 } }).repository(
    reference,
  );
  return pullImage({ store, source, reference, platform: amd64, step: 'pull', ...options });
}

const fetched = (registry: FakeRegistry) =>
  registry.log(({ method, path }) => method === 'GET' && path.includes('/blobs/'));

/** Nothing half-written, nothing that is only in the way. */
function expectClean(store: Store): void {
  expect(readdirSync(store.path('tmp'))).toEqual([]);
}

test.each([
  ['OCI', {}],
  ['Docker', { docker: true }],
  ['uncompressed', { compressed: false }],
])(
  'an %s image is pulled, blobs as they came and a tar with its index for each layer',
  async (_name, kind) => {
    const registry = await testRegistry();
    const { manifest, config, layers } = putImage(registry, { tag: '1', ...kind });
    const store = newStore();
    const name = `${registry.host}/team/app:1`;
    expect(await pull(registry, store)).toEqual({
      name,
      descriptor: manifest,
      manifest,
      imageID: config.digest,
      changed: true,
    });
    const image = findImage(store, name);
    expect(image.layers.map(({ diffID }) => diffID)).toEqual(layers.map(({ diffID }) => diffID));
    expect([...readIndex(image.layers[1]!).entries.keys()]).toContain('file1');
    const remote = repositoryOf(registry.repositories, 'team/app');
    for (const { descriptor } of layers)
      expect(store.readBlob(descriptor.digest)).toEqual(remote.blobs.get(descriptor.digest));
    expect(readFileSync(store.blobPath(manifest.digest))).toEqual(
      remote.manifests.get(manifest.digest)?.bytes,
    );
    expectClean(store);
  },
);

test('a second pull asks what the tag stands for, and nothing else', async () => {
  const registry = await testRegistry();
  putImage(registry, { tag: '1' });
  const store = newStore();
  await pull(registry, store);
  registry.clearLog();
  const events: BuildEvent[] = [];
  expect(await pull(registry, store, { emit: (event) => events.push(event) })).toMatchObject({
    changed: false,
  });
  expect(registry.log()).toEqual(['GET /v2/', 'HEAD /v2/team/app/manifests/1']);
  expect(events).toHaveLength(2);
  expect(
    events.every(
      (event) => event.type === 'step.progress' && event.note === 'exists' && event.done,
    ),
  ).toBe(true);
});

test('a tag that moved brings only what is new', async () => {
  const registry = await testRegistry();
  putImage(registry, { tag: '1', files: ['one', 'two'] });
  const store = newStore();
  await pull(registry, store);
  const { manifest, layers } = putImage(registry, { tag: '1', files: ['one', 'changed'] });
  registry.clearLog();
  expect(await pull(registry, store)).toMatchObject({ changed: true, manifest });
  expect(fetched(registry).filter((line) => line.includes(layers[0]!.descriptor.digest))).toEqual(
    [],
  );
});

test('of an index, only what the platform needs is fetched, and the index keeps its digest', async () => {
  const registry = await testRegistry();
  const { index, images } = putIndex(registry, '1', ['amd64', 'arm64']);
  const store = newStore();
  const pulled = await pull(registry, store, { platform: parsePlatform('linux/arm64') });
  expect(pulled).toMatchObject({
    descriptor: index,
    manifest: { digest: images[1]!.manifest.digest },
  });
  expect(store.resolveTag(pulled.name)).toEqual(index);
  expect(store.blobSize(images[0]!.manifest.digest)).toBeUndefined();
  await pull(registry, store);
  expect(findImage(store, pulled.name, amd64).imageID).toBe(images[0]!.config.digest);
});

test('a platform that does not exist is an error that lists those that do', async () => {
  const registry = await testRegistry();
  putIndex(registry, '1', ['amd64', 's390x']);
  await expect(
    pull(registry, newStore(), { platform: parsePlatform('linux/riscv64') }),
  ).rejects.toMatchObject({
    code: 'PLATFORM',
    message: `image ${registry.host}/team/app:1 does not exist for linux/riscv64`,
    hint: 'it exists for linux/amd64, linux/s390x',
  });
});

test('an image of another platform that is no index is taken, with a warning', async () => {
  const registry = await testRegistry();
  putImage(registry, { tag: '1', architecture: 's390x' });
  const warnings: string[] = [];
  await pull(registry, newStore(), {
    emit: (event) => event.type === 'warning' && warnings.push(event.message),
  });
  expect(warnings).toEqual([
    `image ${registry.host}/team/app:1 is for linux/s390x, not for linux/amd64`,
  ]);
});

test('a digest pulls exactly that', async () => {
  const registry = await testRegistry();
  const { manifest } = putImage(registry, { tag: '1' });
  const name = `team/app@${manifest.digest}`;
  expect(await pull(registry, newStore(), { name })).toMatchObject({
    name: `${registry.host}/${name}`,
    descriptor: manifest,
  });
});

test('an image that does not exist is an error with its name', async () => {
  const registry = await testRegistry();
  await expect(pull(registry, newStore(), { name: 'team/none:2' })).rejects.toMatchObject({
    code: 'IMAGE_NOT_FOUND',
    message: `${registry.host} has no image ${registry.host}/team/none:2`,
  });
});

test('progress is told for each blob, with a note where there was nothing to do', async () => {
  const registry = await testRegistry();
  const { layers } = putImage(registry, { tag: '1', files: ['one', 'two'] });
  const events: BuildEvent[] = [];
  await pull(registry, newStore(), { emit: (event) => events.push(event) });
  for (const { descriptor } of layers) {
    const own = events.filter(
      (event) =>
        event.type === 'step.progress' && event.item === hexOf(descriptor.digest).slice(0, 12),
    );
    expect(own.at(-1)).toMatchObject({
      step: 'pull',
      current: descriptor.size,
      total: descriptor.size,
      unit: 'bytes',
      done: true,
    });
  }
});

const blobs = { path: '/blobs/', method: 'GET' };
test.each([
  [
    'resets',
    [reset(blobs), reset(blobs), breakBody(20, 'reset', blobs), breakBody(10, 'reset', blobs)],
  ],
  ['stalls', [breakBody(20, 'stall', blobs)]],
  [
    '5xx and 429',
    [status(500, blobs), status(503, {}), status(429, blobs, { 'retry-after': '1' })],
  ],
  ['a truncated manifest', [breakBody(5, 'reset', { path: '/manifests/', method: 'GET' })]],
])('an image comes through %s', async (_name, faults) => {
  const registry = await testRegistry();
  putImage(registry, { tag: '1', files: ['one', 'two', 'three'] });
  registry.faults.push(...faults);
  const store = newStore();
  const { name } = await pull(registry, store);
  expect(findImage(store, name).layers).toHaveLength(3);
  expectClean(store);
});

const flipped = (bytes: Buffer) => {
  const changed = Buffer.from(bytes);
  changed[changed.length - 9]! ^= 1;
  return changed;
};
test.each([
  [
    'a damaged blob',
    [alterBody(flipped, blobs), alterBody(flipped, blobs), alterBody(flipped, blobs)],
    /DIGEST_MISMATCH|ARCHIVE/,
  ],
  [
    'a blob that is too long',
    Array.from({ length: 3 }, () => alterBody((bytes) => Buffer.concat([bytes, bytes]), blobs)),
    /DIGEST_MISMATCH/,
  ],
  [
    'a damaged manifest',
    [alterBody(flipped, { path: '/manifests/', method: 'GET' })],
    /DIGEST_MISMATCH/,
  ],
  ['a blob that is gone', [status(404, blobs)], /NOT_FOUND/],
  [
    'a registry that fails for good',
    Array.from({ length: 40 }, () => status(500, blobs)),
    /REGISTRY/,
  ],
])('%s ends the pull with nothing half-written and no name', async (_name, faults, code) => {
  const registry = await testRegistry();
  putImage(registry, { tag: '1' });
  registry.faults.push(...faults);
  const store = newStore();
  const error = await pull(registry, store).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: expect.stringMatching(code) });
  expect(store.tags()).toEqual([]);
  expectClean(store);
});

test('a configuration that lies about a layer is found out', async () => {
  const registry = await testRegistry();
  const { layers } = putImage(registry, { tag: 'honest', files: ['one', 'two'] });
  putImage(registry, {
    tag: '1',
    files: ['one', 'two'],
    diffIDs: layers.map(({ diffID }) => diffID).reverse(),
  });
  const store = newStore();
  await expect(pull(registry, store)).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
    message: expect.stringMatching(`^pull layer sha256:\\w{64} from ${registry.host}/team/app: `),
  });
  // Also when all of it is in the store already, under the names that it should have.
  await pull(registry, store, { name: 'team/app:honest' });
  await expect(pull(registry, store)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  expect(store.tags()).toHaveLength(1);
});

test.each([
  [
    'more layers than the configuration knows',
    (registry: FakeRegistry) => putImage(registry, { tag: '1', diffIDs: [] }),
  ],
  [
    'an index that is in itself',
    (registry: FakeRegistry) => {
      let child = putImage(registry).manifest;
      for (let depth = 0; depth < 8; depth += 1) {
        const platform = { os: 'linux', architecture: 'amd64' };
        child = putDocument(registry, 'team/app', '1', OCI_INDEX, {
          manifests: [{ ...child, platform }],
        });
      }
    },
  ],
  [
    'a layer of no kind',
    (registry: FakeRegistry) => {
      const { config, layers } = putImage(registry);
      const strange = layers.map(({ descriptor }) => ({
        ...descriptor,
        mediaType: 'application/x-strange',
      }));
      putDocument(registry, 'team/app', '1', 'application/vnd.oci.image.manifest.v1+json', {
        config,
        layers: strange,
      });
    },
  ],
])('%s is not an image', async (_name, put) => {
  const registry = await testRegistry();
  put(registry);
  await expect(pull(registry, newStore())).rejects.toMatchObject({ code: 'MANIFEST' });
});

test('an abort ends the pull with its reason and leaves nothing behind', async () => {
  const registry = await testRegistry();
  putImage(registry, { tag: '1' });
  registry.faults.push(
    breakBody(30, 'stall', blobs),
    breakBody(30, 'stall', blobs),
    breakBody(30, 'stall', blobs),
  );
  const controller = new AbortController();
  const reason = new Error('enough');
  const store = newStore();
  const pulling = pull(registry, store, { signal: controller.signal });
  await expect.poll(() => fetched(registry).length).toBeGreaterThan(0);
  controller.abort(reason);
  await expect(pulling).rejects.toBe(reason);
  expectClean(store);
});
