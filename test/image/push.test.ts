import { readdirSync, rmSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { BuildEvent, EventSink } from '../../src/events.ts';
import { inlineWorkers } from '../../src/host/workers.ts';
import { assembleImage } from '../../src/image/assemble.ts';
import { findImage } from '../../src/image/image.ts';
import { pullImage } from '../../src/image/pull.ts';
import { type PushOptions, pushImage } from '../../src/image/push.ts';
import { validateImage } from '../../src/image/validate.ts';
import { layerTasks } from '../../src/layer/tasks.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { type Index, type Manifest, parseManifestOrIndex } from '../../src/oci/manifest.ts';
import {
  DOCKER_LAYER_GZIP,
  DOCKER_MANIFEST,
  OCI_INDEX,
  OCI_LAYER,
  OCI_LAYER_GZIP,
} from '../../src/oci/media-types.ts';
import { parsePlatform } from '../../src/oci/platform.ts';
import { parseReference } from '../../src/oci/reference.ts';
import type { Store } from '../../src/store/store.ts';
import { newStore, type SampleFiles, sampleImage, sampleLayer } from '../helpers/images.ts';
import type { FakeRegistry } from '../helpers/registry.ts';
import { noise, testClient, testRegistry } from '../helpers/registry-client.ts';
import { repositoryOf } from '../helpers/registry-endpoints.ts';
import { reset, stall, status } from '../helpers/registry-faults.ts';
import { putImage, putIndex } from '../helpers/registry-images.ts';

const layers: readonly SampleFiles[] = [
  { 'etc/': {}, 'etc/motd': 'hello\n'.repeat(1000) },
  { app: 'x'.repeat(50_000) },
];

/** Counts the layers that are compressed. */
function countingEvents() {
  let compressed = 0;
  const emit: EventSink = (event) => {
    if (event.type === 'step.progress' && event.item.startsWith('compress ') && event.done)
      compressed += 1;
  };
  return { emit, compressed: () => compressed };
}

function push(
  registry: FakeRegistry,
  store: Store,
  descriptor: Descriptor,
  options: Partial<PushOptions> & { name?: string } = {},
) {
  const reference = parseReference(`${registry.host}/${options.name ?? 'team/app:1'}`);
  const target = testClient({ stallMilliseconds: 1000, commitMilliseconds: 1000 }).repository(
    reference,
  );
  return pushImage({
    store,
    target,
    reference,
    descriptor,
    workers: inlineWorkers(layerTasks),
    step: 'push',
    ...options,
  });
}

async function pull(
  registry: FakeRegistry,
  store: Store,
  name = 'team/app:1',
  architecture = 'amd64',
) {
  const reference = parseReference(`${registry.host}/${name}`);
  const source = testClient().repository(reference);
  return pullImage({
    store,
    source,
    reference,
    platform: parsePlatform(`linux/${architecture}`),
    step: 'pull',
  });
}

function remoteDocument(
  registry: FakeRegistry,
  digest: Digest,
  repository = 'team/app',
): Manifest | Index {
  const { mediaType, bytes } = repositoryOf(registry.repositories, repository).manifests.get(
    digest,
  )!;
  return parseManifestOrIndex(bytes, mediaType);
}
const manifestOf = (registry: FakeRegistry, digest: Digest) =>
  remoteDocument(registry, digest) as Manifest;
const writes = (registry: FakeRegistry) =>
  registry
    .log(({ method }) => method !== 'GET' && method !== 'HEAD')
    .map((line) => line.replace(/uploads\/.*/, 'uploads/'));

test('layers of ours are compressed for the registry, and the digest that is reported is what it has', async () => {
  const registry = await testRegistry();
  const store = newStore();
  const image = await sampleImage(store, { layers });
  const { descriptor } = await push(registry, store, image.descriptor);
  expect(descriptor.digest).not.toBe(image.descriptor.digest);
  const remote = repositoryOf(registry.repositories, 'team/app');
  expect(remote.tags.get('1')).toBe(descriptor.digest);
  const manifest = manifestOf(registry, descriptor.digest);
  expect(manifest.config.digest).toBe(image.imageID);
  for (const [at, layer] of manifest.layers.entries()) {
    expect(layer.mediaType).toBe(OCI_LAYER_GZIP);
    expect(
      gunzipSync(remote.blobs.get(layer.digest)!).equals(store.readBlob(image.layers[at]!.diffID)),
    ).toBe(true);
  }
  expect(readdirSync(store.path('tmp'))).toEqual([]);
});

test('the manifest goes last', async () => {
  const registry = await testRegistry();
  const store = newStore();
  await push(registry, store, (await sampleImage(store, { layers })).descriptor);
  expect(writes(registry).at(-1)).toBe('PUT /v2/team/app/manifests/1');
  expect(writes(registry).filter((line) => line.includes('manifests'))).toHaveLength(1);
});

test('a second push compresses nothing and sends nothing but the name', async () => {
  const registry = await testRegistry();
  const store = newStore();
  const { descriptor } = await sampleImage(store, { layers });
  const first = await push(registry, store, descriptor);
  registry.clearLog();
  const events: BuildEvent[] = [];
  const counted = countingEvents();
  const second = await push(registry, store, descriptor, {
    name: 'team/app:2',
    emit: (event) => {
      events.push(event);
      counted.emit(event);
    },
  });
  expect(second).toEqual(first);
  expect(writes(registry)).toEqual(['PUT /v2/team/app/manifests/2']);
  expect(counted.compressed()).toBe(0);
  expect(events.map((event) => event.type === 'step.progress' && event.note)).toEqual([
    'exists',
    'exists',
    'exists',
  ]);
});

test('a compressed layer that the store has lost is taken from the registry, or made again with the same digest', async () => {
  const registry = await testRegistry();
  const store = newStore();
  const { descriptor } = await sampleImage(store, { layers });
  const first = await push(registry, store, descriptor);
  for (const layer of manifestOf(registry, first.descriptor.digest).layers)
    rmSync(store.blobPath(layer.digest));
  const events = countingEvents();
  expect(await push(registry, store, descriptor, { emit: events.emit })).toEqual(first);
  expect(events.compressed()).toBe(0);
  const other = await testRegistry();
  expect(await push(other, store, descriptor, { emit: events.emit })).toEqual(first);
  expect(events.compressed()).toBe(layers.length);
});

test('with compression none, the image goes as it is', async () => {
  const registry = await testRegistry();
  const store = newStore();
  const image = await sampleImage(store, { layers });
  const { descriptor } = await push(registry, store, image.descriptor, { compression: 'none' });
  expect(descriptor).toEqual(image.descriptor);
  expect(manifestOf(registry, descriptor.digest).layers.map(({ mediaType }) => mediaType)).toEqual([
    OCI_LAYER,
    OCI_LAYER,
  ]);
});

test.each([
  ['OCI', {}],
  ['Docker', { docker: true }],
  ['uncompressed', { compressed: false }],
])('a pulled image (%s) is pushed byte for byte as it came', async (_name, kind) => {
  const registry = await testRegistry();
  const { manifest } = putImage(registry, { tag: '1', repository: 'from/here', ...kind });
  const store = newStore();
  const { descriptor } = await pull(registry, store, 'from/here:1');
  registry.clearLog();
  const events = countingEvents();
  expect((await push(registry, store, descriptor, { emit: events.emit })).descriptor).toEqual(
    manifest,
  );
  expect(repositoryOf(registry.repositories, 'team/app').manifests.get(manifest.digest)).toEqual(
    repositoryOf(registry.repositories, 'from/here').manifests.get(manifest.digest),
  );
  expect(events.compressed()).toBe(0);
});

test('the blobs of a pulled image are mounted from where they came', async () => {
  const registry = await testRegistry();
  putImage(registry, { tag: '1', repository: 'from/here' });
  const store = newStore();
  const { descriptor } = await pull(registry, store, 'from/here:1');
  const notes: unknown[] = [];
  await push(registry, store, descriptor, {
    emit: (event) => event.type === 'step.progress' && event.done && notes.push(event.note),
  });
  expect(notes.filter((note) => note === 'mounted')).toHaveLength(2);
});

test('an image on a pulled base sends the base as it came and its own layer compressed', async () => {
  const registry = await testRegistry();
  const base = putImage(registry, { tag: '1', repository: 'base' });
  const store = newStore();
  const image = findImage(store, (await pull(registry, store, 'base:1')).name);
  const { descriptor } = assembleImage(store, {
    config: image.config,
    layers: [
      ...image.layers.map((layer, at) => ({ layer, descriptor: image.manifest.layers[at] })),
      { layer: await sampleLayer(store, { mine: 'yes' }) },
    ],
  });
  const pushed = await push(registry, store, descriptor);
  const sent = manifestOf(registry, pushed.descriptor.digest).layers;
  expect(sent.slice(0, 2)).toEqual(base.layers.map((layer) => layer.descriptor));
  expect(sent[2]?.mediaType).toBe(OCI_LAYER_GZIP);
});

test('a layer that an image has twice is sent once', async () => {
  const registry = await testRegistry();
  const store = newStore();
  const { descriptor } = await sampleImage(store, { layers: [layers[0]!, layers[1]!, layers[0]!] });
  const events = countingEvents();
  const pushed = await push(registry, store, descriptor, { emit: events.emit });
  expect(manifestOf(registry, pushed.descriptor.digest).layers).toHaveLength(3);
  expect(writes(registry).filter((line) => line.startsWith('POST'))).toHaveLength(3);
  expect(events.compressed()).toBe(2);
});

test('an uncompressed layer in a Docker manifest becomes one of Docker’s types', async () => {
  const registry = await testRegistry();
  const store = newStore();
  const image = await sampleImage(store, { layers });
  const oci = JSON.parse(store.readBlob(image.descriptor.digest).toString());
  const docker = Buffer.from(JSON.stringify({ ...oci, mediaType: DOCKER_MANIFEST }));
  const pushed = await push(
    registry,
    store,
    { mediaType: DOCKER_MANIFEST, ...store.writeBlob(docker) },
    { compression: 'zstd' },
  );
  expect(manifestOf(registry, pushed.descriptor.digest).layers[0]?.mediaType).toBe(
    DOCKER_LAYER_GZIP,
  );
});

async function sampleIndex(store: Store, architectures: readonly string[]): Promise<Descriptor> {
  const manifests = [];
  for (const architecture of architectures) {
    const { descriptor } = await sampleImage(store, {
      architecture,
      layers: [layers[0]!, { arch: architecture }],
    });
    manifests.push({ ...descriptor, platform: { os: 'linux', architecture } });
  }
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests, annotations: { kept: 'yes' } };
  return { mediaType: OCI_INDEX, ...store.writeBlob(Buffer.from(JSON.stringify(index))) };
}

test('of an index, manifests go before it, and a layer that they share goes once', async () => {
  const registry = await testRegistry();
  const store = newStore();
  const index = await sampleIndex(store, ['amd64', 'arm64']);
  const { descriptor } = await push(registry, store, index);
  const pushed = remoteDocument(registry, descriptor.digest) as Index;
  expect(pushed).toMatchObject({
    annotations: { kept: 'yes' },
    manifests: [{ platform: { architecture: 'amd64' } }, { platform: { architecture: 'arm64' } }],
  });
  const documents = writes(registry).filter((line) => line.includes('manifests'));
  expect(documents).toHaveLength(3);
  expect(documents.at(-1)).toContain('manifests/1');
  expect(writes(registry).filter((line) => line.startsWith('POST'))).toHaveLength(5);
  const other = newStore();
  expect(await pull(registry, other, 'team/app:1', 'arm64')).toMatchObject({ descriptor });
});

test('a manifest that an index has for two platforms keeps both', async () => {
  const registry = await testRegistry();
  const store = newStore();
  const { descriptor } = await sampleImage(store, { layers });
  const platforms = ['v6', 'v7'].map((variant) => ({ os: 'linux', architecture: 'arm', variant }));
  const manifests = platforms.map((platform) => ({ ...descriptor, platform }));
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
  const pushed = await push(registry, store, {
    mediaType: OCI_INDEX,
    ...store.writeBlob(Buffer.from(JSON.stringify(index))),
  });
  const document = manifestOf(registry, pushed.descriptor.digest) as unknown as typeof index;
  expect(document.manifests.map(({ platform }) => platform)).toEqual(platforms);
});

test('of a pulled index whose other platforms the registry has, nothing changes', async () => {
  const registry = await testRegistry();
  const { index } = putIndex(registry, '1', ['amd64', 'arm64']);
  const store = newStore();
  await pull(registry, store);
  expect(await push(registry, store, index, { name: 'team/app:2' })).toEqual({ descriptor: index });
});

test('elsewhere, what the store does not have of an index is left out, with a warning', async () => {
  const registry = await testRegistry();
  const { index, images } = putIndex(registry, '1', ['amd64', 'arm64', 's390x']);
  const store = newStore();
  await pull(registry, store, 'team/app:1', 'amd64');
  const other = await testRegistry();
  const warnings: string[] = [];
  const options = {
    emit: (event: BuildEvent) => event.type === 'warning' && void warnings.push(event.message),
  };
  const one = await push(other, store, index, options);
  expect(one.descriptor.digest).toBe(images[0]!.manifest.digest);
  expect(warnings).toEqual([
    'only what the store has was pushed; left out: linux/arm64, linux/s390x',
  ]);
  await pull(registry, store, 'team/app:1', 'arm64');
  const two = await push(other, store, index, options);
  expect(
    (remoteDocument(other, two.descriptor.digest) as Index).manifests.map(
      ({ platform }) => platform?.architecture,
    ),
  ).toEqual(['amd64', 'arm64']);
});

test('pushing to a digest that is not the image’s is refused', async () => {
  const registry = await testRegistry();
  const store = newStore();
  const { descriptor } = await sampleImage(store);
  await expect(
    push(registry, store, descriptor, { name: `team/app@sha256:${'0'.repeat(64)}` }),
  ).rejects.toMatchObject({ code: 'USAGE' });
});

test('an image of which a part is missing is an error that names it, and gets no name', async () => {
  const registry = await testRegistry();
  const store = newStore();
  const image = await sampleImage(store, { layers });
  rmSync(store.blobPath(image.layers[1]!.diffID));
  await expect(push(registry, store, image.descriptor)).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringContaining(image.layers[1]!.diffID),
  });
  expect(repositoryOf(registry.repositories, 'team/app').tags.size).toBe(0);
});

const uploads = { path: '/uploads/' };
test.each([
  [
    'resets',
    [
      reset({ ...uploads, method: 'PUT' }, 10),
      reset({ ...uploads, method: 'POST' }),
      reset({ path: '/manifests/', method: 'PUT' }),
    ],
  ],
  ['stalls', [stall({ ...uploads, method: 'PUT' })]],
  [
    '5xx and 429',
    [
      status(500, uploads),
      status(502, { path: '/manifests/' }),
      status(429, uploads, { 'retry-after': '1' }),
      status(503),
    ],
  ],
])('an image arrives whole through %s', async (_name, faults) => {
  const registry = await testRegistry();
  registry.faults.push(...faults);
  const store = newStore();
  const image = await sampleImage(store, { layers });
  await push(registry, store, image.descriptor);
  const other = newStore();
  expect(await pull(registry, other)).toMatchObject({ imageID: image.imageID });
});

test('a registry that fails for good ends the push with its host and reason, without a name', async () => {
  const registry = await testRegistry();
  registry.faults.push(
    status(
      403,
      { ...uploads, method: 'POST' },
      {},
      '{"errors":[{"code":"DENIED","message":"quota"}]}',
    ),
  );
  const store = newStore();
  const { descriptor } = await sampleImage(store, { layers });
  await expect(push(registry, store, descriptor)).rejects.toMatchObject({
    code: 'REGISTRY_AUTH',
    host: registry.host,
    message: expect.stringContaining('DENIED: quota'),
  });
  expect(repositoryOf(registry.repositories, 'team/app').tags.size).toBe(0);
});

test('an abort ends the push with its reason', async () => {
  const registry = await testRegistry();
  registry.faults.push(
    stall({ ...uploads, method: 'PUT' }),
    stall({ ...uploads, method: 'PUT' }),
    stall({ ...uploads, method: 'PUT' }),
  );
  const store = newStore();
  const { descriptor } = await sampleImage(store, { layers });
  const controller = new AbortController();
  const reason = new Error('enough');
  const pushing = push(registry, store, descriptor, { signal: controller.signal });
  await expect.poll(() => registry.log(({ method }) => method === 'PUT').length).toBeGreaterThan(0);
  controller.abort(reason);
  await expect(pushing).rejects.toBe(reason);
});

describe('a large layer', () => {
  const large = () =>
    sampleImage(newStoreOf(), {
      layers: [{ noise: { text: noise(3_000_000).toString('latin1') } }],
    });
  let store: Store;
  const newStoreOf = () => {
    store = newStore();
    return store;
  };
  const streamed = (registry: FakeRegistry) =>
    registry.requests.filter(({ headers }) => headers['transfer-encoding'] === 'chunked').length;

  test('is sent while it is compressed, to the same digest as otherwise', async () => {
    const registry = await testRegistry();
    const { descriptor } = await large();
    const first = await push(registry, store, descriptor);
    expect(streamed(registry)).toBe(1);
    const other = await testRegistry();
    expect(await push(other, store, descriptor)).toEqual(first);
    expect(streamed(other)).toBe(0);
    expect(await validateRemote(registry, first.descriptor)).toEqual([]);
  });

  test.each([
    ['refuses that', status(411, { method: 'PATCH' })],
    ['breaks off', reset({ method: 'PATCH' }, 100_000)],
    ['fails at the end', status(500, { method: 'PUT', path: 'uploads' })],
  ])('is sent afterwards where the registry %s', async (_, fault) => {
    const registry = await testRegistry();
    registry.faults.push(fault);
    const { descriptor } = await large();
    const pushed = await push(registry, store, descriptor);
    expect(await validateRemote(registry, pushed.descriptor)).toEqual([]);
  });

  test('that cannot be compressed fails as that did, and leaves nothing half sent', async () => {
    const registry = await testRegistry();
    const { descriptor } = await large();
    const { config } = JSON.parse(store.readBlob(descriptor.digest).toString());
    const workers = {
      ...inlineWorkers(layerTasks),
      run: async () => Promise.reject(new Error('out of memory')),
    };
    await expect(push(registry, store, descriptor, { workers })).rejects.toThrow('out of memory');
    const { blobs, manifests } = registry.repositories.get('team/app')!;
    // The configuration goes at the same time, and may be there already.
    expect([...blobs.keys()].filter((digest) => digest !== config.digest)).toEqual([]);
    expect([...manifests]).toEqual([]);
  });
});

function validateRemote(registry: FakeRegistry, descriptor: Descriptor) {
  const repository = testClient().repository({ registry: registry.host, repository: 'team/app' });
  return validateImage(repository, descriptor);
}
