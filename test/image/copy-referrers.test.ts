import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { copyReferrers } from '../../src/image/copy-referrers.ts';
import { copy } from '../../src/index.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { OCI_INDEX, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import type { FakeRegistry } from '../helpers/registry.ts';
import { blob, testClient, testRegistry } from '../helpers/registry-client.ts';
import { repositoryOf } from '../helpers/registry-endpoints.ts';
import { putDocument, putIndex } from '../helpers/registry-images.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const empty = blob(Buffer.from('{}'), 'application/vnd.oci.empty.v1+json');
const { bytes: _, ...config } = empty;
const noEnv = () => ({ TSBUILD_HOME: tempDirectory(), DOCKER_CONFIG: tempDirectory() });

/** Something that refers to `subject`, noted as in a registry without an end-point for that. */
async function refer(
  registry: FakeRegistry,
  subject: Descriptor,
  artifactType: string,
): Promise<Descriptor> {
  const repository = repositoryOf(registry.repositories, 'team/app');
  repository.blobs.set(empty.digest, empty.bytes);
  const members = { artifactType, config, layers: [config], subject };
  const manifest = putDocument(registry, 'team/app', undefined, OCI_MANIFEST, members);
  const { bytes } = repository.manifests.get(manifest.digest)!;
  await testClient()
    .repository({ registry: registry.host, repository: 'team/app' })
    .putManifest(manifest.digest, manifest, bytes);
  return manifest;
}

/** An index that is signed, of two images of which the second has an SBOM, which is signed. */
async function signedIndex(registry: FakeRegistry) {
  const { index, images } = putIndex(registry, '1', ['amd64', 'arm64']);
  const sbom = await refer(registry, images[1]!.manifest, 'application/spdx+json');
  const referrers = [
    await refer(registry, index, 'test/signature'),
    await refer(registry, index, 'test/other-signature'),
    sbom,
    await refer(registry, sbom, 'test/signature'),
  ];
  return { index, referrers };
}

let source: FakeRegistry;
let signed: Awaited<ReturnType<typeof signedIndex>>;
beforeEach(async () => {
  source = await testRegistry();
  signed = await signedIndex(source);
});

const manifestsOf = (registry: FakeRegistry, name: string) =>
  registry.repositories.get(name)?.manifests ?? new Map();
const listed = async (registry: FakeRegistry, name: string, subject: Digest) => {
  const repository = testClient().repository({ registry: registry.host, repository: name });
  return (await repository.referrers(subject)).map(({ digest }) => digest);
};

test('what refers to an image, to one in it, and to what refers, comes with it', async () => {
  const target = await testRegistry();
  const name = `${target.host}/copied/app:1`;
  const options = { source: `${source.host}/team/app:1`, destination: name, env: noEnv() };
  await copy(options);
  for (const { digest } of signed.referrers)
    expect(manifestsOf(target, 'copied/app').has(digest)).toBe(false);
  await copy({ ...options, referrers: true });
  for (const { digest } of signed.referrers)
    expect(manifestsOf(target, 'copied/app').has(digest)).toBe(true);
  const [signature, other, sbom, signatureOfSbom] = signed.referrers.map(({ digest }) => digest);
  expect(await listed(target, 'copied/app', signed.index.digest)).toEqual([signature, other]);
  expect(await listed(target, 'copied/app', sbom!)).toEqual([signatureOfSbom]);
});

test('layouts and archives keep it, and still hold one image', async () => {
  const directory = tempDirectory();
  const target = await testRegistry();
  const places = [
    `${source.host}/team/app:1`,
    `oci:${join(directory, 'layout')}`,
    `oci-archive:${join(directory, 'archive.tar')}`,
    `${target.host}/back/app:2`,
  ];
  for (const [at, from] of places.slice(0, -1).entries()) {
    const options = { source: from, destination: places[at + 1]!, referrers: true, env: noEnv() };
    expect((await copy(options)).digest).toBe(signed.index.digest);
  }
  const { manifests } = JSON.parse(readFileSync(join(directory, 'layout/index.json'), 'utf8'));
  expect(manifests).toHaveLength(1 + signed.referrers.length);
  const [signature, other] = signed.referrers.map(({ digest }) => digest);
  expect(await listed(target, 'back/app', signed.index.digest)).toEqual([signature, other]);
});

test.each([
  ['store:app', 'registry.test/app'],
  ['docker-archive:x.tar', 'oci:y'],
  ['registry.test/app', 'docker-archive:x.tar'],
])('between %s and %s there are none to copy', async (from, to) => {
  const options = { source: from, destination: to, referrers: true, env: noEnv() };
  await expect(copy(options)).rejects.toMatchObject({ code: 'USAGE' });
});

test('a registry that has one more for each is not followed for ever', async () => {
  const client = testClient();
  const repository = client.repository({ registry: source.host, repository: 'team/app' });
  let made = 0;
  const endless = async () => {
    made += 1;
    return [putDocument(source, 'team/app', undefined, OCI_INDEX, { manifests: [], made })].map(
      (descriptor) => ({ ...descriptor, artifactType: 'test/endless' }),
    );
  };
  await expect(copyReferrers(repository, endless, repository, signed.index)).rejects.toMatchObject({
    code: 'MANIFEST',
  });
  expect(made).toBeLessThan(20);
});
