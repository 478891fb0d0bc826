/** Against a registry that is not ours: Debian's docker-registry with passwords. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inlineWorkers } from '../../src/host/workers.ts';
import { assembleImage } from '../../src/image/assemble.ts';
import { findImage } from '../../src/image/image.ts';
import { pullImage } from '../../src/image/pull.ts';
import { pushImage } from '../../src/image/push.ts';
import { layerTasks } from '../../src/layer/tasks.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { parsePlatform } from '../../src/oci/platform.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { createKeychain } from '../../src/registry/credentials.ts';
import { login } from '../../src/registry/login.ts';
import type { Store } from '../../src/store/store.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { newStore, sampleImage, sampleLayer } from '../helpers/images.ts';
import { testClient } from '../helpers/registry-client.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const credentials = { username: 'me', password: 'se:cret' };
const platform = parsePlatform('linux/amd64');
const workers = inlineWorkers(layerTasks);
let registry: DockerRegistry;
beforeAll(async () => {
  registry = await startDockerRegistry({ credentials });
});
afterAll(() => registry[Symbol.asyncDispose]());

function push(store: Store, name: string, descriptor: Descriptor) {
  const reference = parseReference(`${registry.host}/${name}`);
  const target = testClient({ credentials }).repository(reference);
  return pushImage({ store, target, reference, descriptor, workers, step: 'push' });
}

function pull(store: Store, name: string) {
  const reference = parseReference(`${registry.host}/${name}`);
  const source = testClient({ credentials }).repository(reference);
  return pullImage({ store, source, reference, platform, step: 'pull' });
}

/** What the registry was asked while `work` ran. */
async function during(work: () => Promise<unknown>): Promise<readonly string[]> {
  const before = registry.requests().length;
  await work();
  return registry.requests().slice(before);
}

const large = () => randomBytes(3_000_000).toString('latin1');
const image = (store: Store) =>
  sampleImage(store, {
    layers: [
      { 'etc/': {}, 'etc/motd': large() },
      { 'etc/motd': null, 'usr/': {} },
    ],
  });

function skopeo(...args: string[]): string {
  return execFileSync('skopeo', args, { encoding: 'utf8' });
}

test('an image goes up, comes down into an empty store, and is the same', async () => {
  const store = newStore();
  const { descriptor, imageID, layers } = await image(store);
  const pushed = await push(store, 'round/trip:1', descriptor);
  const other = newStore();
  const pulled = await pull(other, 'round/trip:1');
  expect(pulled).toMatchObject({ descriptor: { digest: pushed.descriptor.digest }, imageID });
  const found = findImage(other, pulled.name);
  expect(found.layers.map(({ diffID }) => diffID)).toEqual(layers.map(({ diffID }) => diffID));
  for (const [at, layer] of found.layers.entries())
    expect(readFileSync(layer.tar).equals(readFileSync(layers[at]!.tar))).toBe(true);
});

test('a second push sends one manifest; a push of what was pulled sends the blobs as they came', async () => {
  const store = newStore();
  const { descriptor } = await image(store);
  const first = await push(store, 'again:1', descriptor);
  const second = await during(async () => {
    expect(await push(store, 'again:2', descriptor)).toEqual(first);
  });
  expect(
    second.filter((line) => line.startsWith('P')).map((line) => line.split(' ').slice(0, 2)),
  ).toEqual([['PUT', '/v2/again/manifests/2']]);
  const other = newStore();
  const pulled = await pull(other, 'again:2');
  const third = await during(async () => {
    expect((await push(other, 'again:3', pulled.descriptor)).descriptor.digest).toBe(
      first.descriptor.digest,
    );
  });
  expect(third.filter((line) => line.includes('/uploads/'))).toEqual([]);
});

test('to another repository, layers are mounted and not sent', async () => {
  const store = newStore();
  const { descriptor } = await image(store);
  await push(store, 'mount/from:1', descriptor);
  const asked = await during(() => push(store, 'mount/to:1', descriptor));
  const uploads = asked.filter((line) => line.includes('/mount/to/blobs/uploads/'));
  expect(uploads.filter((line) => line.startsWith('POST') && line.endsWith(' 201'))).toHaveLength(
    2,
  );
  // The configuration is no layer, and small.
  expect(uploads.filter((line) => line.startsWith('PUT'))).toHaveLength(1);
});

test('an image built on a pulled one sends its own layer, and mounts those of its base', async () => {
  const store = newStore();
  await push(store, 'base:1', (await image(store)).descriptor);
  const fresh = newStore();
  const base = findImage(fresh, (await pull(fresh, 'base:1')).name);
  const layers = [
    ...base.layers.map((layer, at) => ({ layer, descriptor: base.manifest.layers[at] })),
    { layer: await sampleLayer(fresh, { app: 'mine' }) },
  ];
  const { descriptor } = assembleImage(fresh, { config: base.config, layers });
  const asked = await during(() => push(fresh, 'derived:1', descriptor));
  const uploads = asked.filter((line) => line.includes('/derived/blobs/uploads/'));
  expect(uploads.filter((line) => line.endsWith(' 201') && line.startsWith('POST'))).toHaveLength(
    2,
  );
  expect(uploads.filter((line) => line.startsWith('PUT'))).toHaveLength(2);
  expect(await pull(newStore(), 'derived:1')).toMatchObject({ changed: true });
});

test('skopeo inspects and copies what was pushed', async () => {
  const store = newStore();
  const { descriptor, layers } = await image(store);
  const pushed = await push(store, 'skopeo/app:1', descriptor);
  const source = [
    '--tls-verify=false',
    '--creds',
    `${credentials.username}:${credentials.password}`,
    `docker://${registry.host}/skopeo/app:1`,
  ];
  const seen = JSON.parse(skopeo('inspect', ...source));
  expect(seen).toMatchObject({
    Digest: pushed.descriptor.digest,
    Os: 'linux',
    Architecture: 'amd64',
  });
  expect(seen.Layers).toHaveLength(layers.length);
  const [verify, flag, pair, name] = source as [string, string, string, string];
  skopeo(
    'copy',
    '-q',
    `--src-${verify.slice(2)}`,
    flag.replace('--', '--src-'),
    pair,
    name,
    `oci:${join(tempDirectory(), 'layout')}:x`,
  );
});

test('an image that skopeo pushed in Docker format is pulled', async () => {
  const store = newStore();
  const { descriptor, layers } = await image(store);
  await push(store, 'format:oci', descriptor);
  const at = (tag: string) => `docker://${registry.host}/format:${tag}`;
  const creds = `${credentials.username}:${credentials.password}`;
  skopeo(
    'copy',
    '-q',
    '--format',
    'v2s2',
    '--src-tls-verify=false',
    '--dest-tls-verify=false',
    '--src-creds',
    creds,
    '--dest-creds',
    creds,
    at('oci'),
    at('docker'),
  );
  const other = newStore();
  const pulled = await pull(other, 'format:docker');
  expect(pulled.descriptor.mediaType).toContain('docker');
  expect(findImage(other, pulled.name).layers.map(({ diffID }) => diffID)).toEqual(
    layers.map(({ diffID }) => diffID),
  );
});

test('login stores what the registry accepts, and refuses what it does not', async () => {
  const configFile = join(tempDirectory(), 'config.json');
  const client = { userAgent: 'test' };
  const wrong = login({
    registry: registry.host,
    username: 'me',
    password: 'no',
    configFile,
    client,
    env: {},
  });
  await expect(wrong).rejects.toMatchObject({ code: 'REGISTRY_AUTH' });
  await login({ registry: registry.host, ...credentials, configFile, client, env: {} });
  const keychain = createKeychain({ files: [configFile], env: {} });
  const repository = testClient({ keychain }).repository({
    registry: registry.host,
    repository: 'none',
  });
  expect(await repository.resolve('1')).toBeUndefined();
});

test('without credentials, the error says to log in', async () => {
  const repository = testClient().repository({ registry: registry.host, repository: 'none' });
  await expect(repository.resolve('1')).rejects.toMatchObject({
    code: 'REGISTRY_AUTH',
    hint: expect.stringContaining(`tsbuild login ${registry.host}`),
  });
});
