import { expect, test } from 'vitest';
import { inlineWorkers } from '../../src/host/workers.ts';
import { parseAnnotation } from '../../src/image/annotations.ts';
import { assembleIndex } from '../../src/image/assemble-index.ts';
import { type ConvertOptions, convertImage } from '../../src/image/convert.ts';
import { readImage, readManifest } from '../../src/image/image.ts';
import { validateImage } from '../../src/image/validate.ts';
import { layerTasks } from '../../src/layer/tasks.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { type Index, parseManifestOrIndex } from '../../src/oci/manifest.ts';
import {
  DOCKER_CONFIG,
  DOCKER_LAYER,
  DOCKER_LAYER_GZIP,
  DOCKER_LIST,
  DOCKER_MANIFEST,
  OCI_LAYER,
  OCI_LAYER_GZIP,
} from '../../src/oci/media-types.ts';
import { parsePlatform } from '../../src/oci/platform.ts';
import type { Store } from '../../src/store/store.ts';
import { newStore, sampleImage } from '../helpers/images.ts';

const workers = inlineWorkers(layerTasks);
const text = 'some text\n'.repeat(1000);

async function convert(
  store: Store,
  descriptor: Descriptor,
  options: Partial<ConvertOptions>,
): Promise<Descriptor> {
  const made = await convertImage(descriptor, { store, workers, step: 'convert', ...options });
  expect(await validateImage(store, made)).toEqual([]);
  return made;
}

async function twoPlatforms(store: Store) {
  const manifests = [];
  for (const architecture of ['amd64', 'arm64']) {
    const layers = [{ shared: text }, { own: architecture }];
    const { descriptor } = await sampleImage(store, { architecture, layers });
    manifests.push({ descriptor, platform: parsePlatform(`linux/${architecture}`) });
  }
  return assembleIndex(store, manifests);
}

function indexOf(store: Store, { digest, mediaType }: Descriptor): Index {
  return parseManifestOrIndex(store.readBlob(digest), mediaType) as Index;
}

test('layers are compressed, to the same bytes each time', async () => {
  const store = newStore();
  const { descriptor, imageID } = await sampleImage(store, { layers: [{ file: text }] });
  const made = await convert(store, descriptor, { compression: 'gzip' });
  const { layers, config } = readManifest(store, made);
  expect(layers.map(({ mediaType }) => mediaType)).toEqual([OCI_LAYER_GZIP]);
  expect(layers[0]!.size).toBeLessThan(text.length / 10);
  expect(config.digest).toBe(imageID);
  expect(await convert(store, descriptor, { compression: 'gzip' })).toEqual(made);
  const other = newStore();
  const again = await sampleImage(other, { layers: [{ file: text }] });
  expect(await convert(other, again.descriptor, { compression: 'gzip' })).toEqual(made);
});

test('a level that was asked for has no influence on those who ask for none', async () => {
  const store = newStore();
  const { descriptor } = await sampleImage(store, { layers: [{ file: text }] });
  const fast = await convert(store, descriptor, { compression: 'gzip', compressionLevel: 1 });
  const usual = await convert(store, descriptor, { compression: 'gzip' });
  expect(fast.digest).not.toBe(usual.digest);
  expect(await convert(store, descriptor, { compression: 'gzip', compressionLevel: 1 })).toEqual(
    fast,
  );
});

test('what is compressed stays so unless forced', async () => {
  const store = newStore();
  const { descriptor } = await sampleImage(store, { layers: [{ file: text }] });
  const squeezed = await convert(store, descriptor, { compression: 'gzip' });
  expect(await convert(store, squeezed, { compression: 'none' })).toEqual(squeezed);
  const plain = await convert(store, squeezed, { compression: 'none', forceCompression: true });
  expect(plain).toEqual(descriptor);
});

test("Docker's media types take the place of OCI's, and back", async () => {
  const store = newStore();
  const index = await twoPlatforms(store);
  const docker = await convert(store, index, { mediaTypes: 'docker', compression: 'gzip' });
  expect(docker.mediaType).toBe(DOCKER_LIST);
  const { manifests } = indexOf(store, docker);
  expect(manifests.map(({ mediaType, platform }) => [mediaType, platform?.architecture])).toEqual([
    [DOCKER_MANIFEST, 'amd64'],
    [DOCKER_MANIFEST, 'arm64'],
  ]);
  const { config, layers, mediaType } = readManifest(store, manifests[0]!);
  expect([mediaType, config.mediaType, ...layers.map((layer) => layer.mediaType)]).toEqual([
    DOCKER_MANIFEST,
    DOCKER_CONFIG,
    DOCKER_LAYER_GZIP,
    DOCKER_LAYER_GZIP,
  ]);
  const back = { mediaTypes: 'oci', compression: 'none', forceCompression: true } as const;
  expect(await convert(store, docker, back)).toEqual(index);
  const plain = await convert(store, index, { mediaTypes: 'docker' });
  expect(readManifest(store, indexOf(store, plain).manifests[1]!).layers[0]!.mediaType).toBe(
    DOCKER_LAYER,
  );
});

test('annotations go where they are meant to', async () => {
  const store = newStore();
  const index = await twoPlatforms(store);
  const annotations = [
    'all=1',
    'index:above=2',
    'manifest[linux/arm64]:arm=3',
    'manifest-descriptor:at=4',
    'index-descriptor:top=5',
  ].flatMap(parseAnnotation);
  const made = await convert(store, index, { annotations });
  expect(made.annotations).toEqual({ top: '5' });
  const document = indexOf(store, made);
  expect(document.annotations).toEqual({ above: '2' });
  expect(document.manifests.map((child) => child.annotations)).toEqual([{ at: '4' }, { at: '4' }]);
  expect(document.manifests.map((child) => readManifest(store, child).annotations)).toEqual([
    { all: '1' },
    { all: '1', arm: '3' },
  ]);
  expect(await convert(store, index, {})).toEqual(index);
});

test('times are limited in layers, configuration and history', async () => {
  const store = newStore();
  const late = { text: 'x', mtime: 1_700_000_000_000_000_000n };
  const layers = [{ late }, { early: { text: 'y', mtime: 1_000_000_000n } }];
  const { descriptor } = await sampleImage(store, { layers });
  const latest = Date.parse('2019-01-01T00:00:00Z') / 1000;
  const made = await convert(store, descriptor, { latest });
  const [before, after] = [descriptor, made].map((each) => readImage(store, each));
  expect(after!.config.created).toBe('2019-01-01T00:00:00Z');
  expect(after!.config.history!.map(({ created }) => created)).toEqual(
    Array(2).fill('2019-01-01T00:00:00Z'),
  );
  expect(after!.layers[0]!.diffID).not.toBe(before!.layers[0]!.diffID);
  expect(after!.layers[1]!.diffID).toBe(before!.layers[1]!.diffID);
  expect(after!.manifest.layers[0]!.mediaType).toBe(OCI_LAYER);
  expect(await convert(store, made, { latest })).toEqual(made);
});
