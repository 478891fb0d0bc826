import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import zlib from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { openOutput } from '../../src/host/output.ts';
import { assembleImage } from '../../src/image/assemble.ts';
import { findImage } from '../../src/image/image.ts';
import { loadImages } from '../../src/image/load.ts';
import { imagesToSave, type SavedImage, saveImages } from '../../src/image/save.ts';
import { validateImage } from '../../src/image/validate.ts';
import { OCI_INDEX, OCI_LAYER_GZIP } from '../../src/oci/media-types.ts';
import type { Store } from '../../src/store/store.ts';
import { newStore, sampleImage, sampleLayer } from '../helpers/images.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const APP = 'docker.io/library/app:latest';
const OTHER = 'localhost:5000/team/other:1.0';

async function save(
  store: Store,
  images: readonly SavedImage[],
  format: 'docker' | 'oci' = 'docker',
): Promise<string> {
  const file = path.join(tempDirectory(), 'images.tar');
  await using output = openOutput({ file });
  await saveImages(store, images, format, output);
  return file;
}

/** Two images with a layer in common, one of them with two names, the other with a layer that came compressed. */
async function twoImages(store: Store): Promise<SavedImage[]> {
  const app = await sampleImage(store, {
    layers: [
      { 'etc/': {}, 'etc/app': 'app' },
      { 'etc/app': null, 'etc/new': 'new' },
    ],
  });
  const layer = await sampleLayer(store, { 'usr/': {}, 'usr/file': 'compressed '.repeat(1000) });
  const gzip = store.writeBlob(zlib.gzipSync(fs.readFileSync(layer.tar)));
  const { descriptor } = assembleImage(store, {
    config: {
      os: 'linux',
      architecture: 'amd64',
      config: { Cmd: ['x'] },
      rootfs: { type: 'layers', diff_ids: [] },
    },
    layers: [
      { layer: app.layers[0]! },
      { layer, descriptor: { mediaType: OCI_LAYER_GZIP, ...gzip } },
    ],
  });
  return [
    { names: [APP, 'docker.io/library/app:2'], descriptor: app.descriptor },
    { names: [OTHER], descriptor },
  ];
}

describe.each(['docker', 'oci'] as const)('images saved as %s', (format) => {
  test('come back with the same digests, ids and names', async () => {
    const source = newStore();
    const images = await twoImages(source);
    const file = await save(source, images, format);
    const store = newStore();
    const loaded = await loadImages(store, file);
    expect(loaded.map(({ names, descriptor }) => ({ names, descriptor }))).toEqual(images);
    for (const { names, descriptor } of images) {
      for (const name of names) {
        expect(findImage(store, name).manifest).toEqual(
          findImage(store, descriptor.digest).manifest,
        );
      }
      expect(await validateImage(store, descriptor)).toEqual([]);
    }
    expect(fs.readdirSync(store.path('tmp'))).toEqual([]);
    expect(fs.readdirSync(store.path('layers')).sort()).toEqual(
      fs.readdirSync(source.path('layers')).sort(),
    );
  });

  test('are the same bytes each time', async () => {
    const one = newStore();
    const two = newStore();
    const files = [
      await save(one, await twoImages(one), format),
      await save(two, await twoImages(two), format),
    ];
    expect(fs.readFileSync(files[0]!).equals(fs.readFileSync(files[1]!))).toBe(true);
  });

  test('are read by skopeo and umoci as an OCI layout', async () => {
    const store = newStore();
    const file = await save(store, (await twoImages(store)).slice(0, 1), format);
    const inspected = execFileSync('skopeo', ['inspect', `oci-archive:${file}:latest`], {
      encoding: 'utf8',
    });
    expect(JSON.parse(inspected)).toMatchObject({
      Architecture: 'amd64',
      Layers: [expect.anything(), expect.anything()],
    });
    const directory = tempDirectory();
    execFileSync('tar', ['-xf', file, '-C', directory]);
    execFileSync('umoci', [
      'unpack',
      '--image',
      `${directory}:latest`,
      path.join(directory, 'bundle'),
    ]);
    expect(fs.readdirSync(path.join(directory, 'bundle/rootfs/etc'))).toEqual(['new']);
  });
});

test('images are saved once, with all names that were given for them', async () => {
  const store = newStore();
  const { descriptor, imageID } = await sampleImage(store, { names: ['app', 'app:2', 'app:3'] });
  expect(imagesToSave(store, ['app', imageID, 'app:2', 'app'])).toEqual([
    { names: [APP, 'docker.io/library/app:2'], descriptor },
  ]);
  expect(imagesToSave(store, [imageID])).toEqual([{ names: [], descriptor }]);
  expect(() => imagesToSave(store, ['none'])).toThrow(
    expect.objectContaining({ code: 'IMAGE_NOT_FOUND' }),
  );
});

describe('an archive', () => {
  test('is read by skopeo as a docker-archive', async () => {
    const store = newStore();
    const file = await save(store, await twoImages(store));
    const listed = execFileSync('skopeo', ['inspect', `docker-archive:${file}:${OTHER}`], {
      encoding: 'utf8',
    });
    expect(JSON.parse(listed).Layers).toHaveLength(2);
  });

  test('may be compressed, and may come from a stream', async () => {
    const source = newStore();
    const images = await twoImages(source);
    const bytes = fs.readFileSync(await save(source, images));
    for (const input of [bytes, zlib.gzipSync(bytes)]) {
      const store = newStore();
      const loaded = await loadImages(
        store,
        Readable.from([input.subarray(0, 1000), input.subarray(1000)]),
      );
      expect(loaded.map(({ descriptor }) => descriptor)).toEqual(
        images.map(({ descriptor }) => descriptor),
      );
      expect(fs.readdirSync(store.path('tmp'))).toEqual([]);
    }
    const file = path.join(tempDirectory(), 'images.tar.gz');
    fs.writeFileSync(file, zlib.gzipSync(bytes));
    expect(await loadImages(newStore(), file)).toHaveLength(2);
  });

  test('goes to a stream whose reader is slow', async () => {
    const store = newStore();
    const images = await twoImages(store);
    const stream = new PassThrough({ highWaterMark: 16 });
    await using output = openOutput({ stream });
    const saving = saveImages(store, images, 'docker', output).then(() => stream.end());
    const bytes = await buffer(stream);
    await saving;
    expect(bytes.equals(fs.readFileSync(await save(store, images)))).toBe(true);
  });

  test('holds what the store has of an index, and comes back as that index', async () => {
    const store = newStore();
    const amd64 = await sampleImage(store, { layers: [{ a: '' }] });
    const arm64 = await sampleImage(store, { layers: [{ b: '' }], architecture: 'arm64' });
    const manifests = [
      { ...amd64.descriptor, platform: { os: 'linux', architecture: 'amd64' } },
      { ...arm64.descriptor, platform: { os: 'linux', architecture: 'arm64' } },
    ];
    const index = store.writeBlob(
      Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests })),
    );
    const descriptor = { mediaType: OCI_INDEX, ...index };
    fs.rmSync(store.blobPath(arm64.descriptor.digest));
    const target = newStore();
    const [loaded] = await loadImages(target, await save(store, [{ names: [APP], descriptor }]));
    expect(loaded).toMatchObject({ descriptor, imageID: amd64.imageID });
    expect(findImage(target, 'app').imageID).toBe(amd64.imageID);
    expect(() => findImage(target, 'app', { os: 'linux', architecture: 'arm64' })).toThrow(
      expect.objectContaining({ code: 'PLATFORM' }),
    );
  });

  test('of an image without a name is loaded without one', async () => {
    const store = newStore();
    const { descriptor, imageID } = await sampleImage(store);
    const target = newStore();
    const loaded = await loadImages(target, await save(store, [{ names: [], descriptor }]));
    expect(loaded).toEqual([{ names: [], descriptor, imageID }]);
    expect(findImage(target, imageID).descriptor).toEqual(descriptor);
  });

  test('is not written when a part of an image is missing', async () => {
    const store = newStore();
    const images = await twoImages(store);
    fs.rmSync(store.blobPath(images[0]!.descriptor.digest));
    const file = path.join(tempDirectory(), 'images.tar');
    await using output = openOutput({ file });
    await expect(saveImages(store, images, 'docker', output)).rejects.toMatchObject({
      code: 'IMAGE_NOT_FOUND',
    });
    await output[Symbol.asyncDispose]();
    expect(fs.readdirSync(path.dirname(file))).toEqual([]);
  });
});
