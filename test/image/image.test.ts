import fs from 'node:fs';
import { describe, expect, test } from 'vitest';
import { assembleImage } from '../../src/image/assemble.ts';
import { findImage, readImage } from '../../src/image/image.ts';
import { validateImage } from '../../src/image/validate.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { hexOf } from '../../src/oci/digest.ts';
import { DOCKER_LAYER_GZIP, OCI_INDEX, OCI_LAYER_GZIP } from '../../src/oci/media-types.ts';
import type { Platform } from '../../src/oci/platform.ts';
import type { Store } from '../../src/store/store.ts';
import { newStore, sampleImage, sampleLayer } from '../helpers/images.ts';

async function sampleIndex(store: Store, platforms: readonly Platform[]): Promise<Descriptor> {
  const manifests: Descriptor[] = [];
  for (const platform of platforms) {
    const text = `for ${platform.architecture}`;
    const image = await sampleImage(store, {
      architecture: platform.architecture,
      layers: [{ file: text }],
    });
    manifests.push({ ...image.descriptor, platform });
  }
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
  return { mediaType: OCI_INDEX, ...store.writeBlob(Buffer.from(JSON.stringify(index))) };
}

const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64' };

describe('findImage', () => {
  test.each([
    'busybox',
    'busybox:latest',
    'docker.io/busybox',
    'docker.io/library/busybox:latest',
    'index.docker.io/library/busybox',
  ])('finds it by %s', async (name) => {
    const store = newStore();
    const { descriptor, imageID, layers } = await sampleImage(store, { names: ['busybox'] });
    const image = findImage(store, name);
    expect(image).toMatchObject({ descriptor, imageID, layers });
    expect(image.config.config?.Cmd).toEqual(['/bin/sh']);
  });

  test('finds it by the digest of its manifest or its configuration, and by the beginning of one', async () => {
    const store = newStore();
    const { descriptor, imageID } = await sampleImage(store, { names: ['app:1', 'app:2'] });
    const hex = imageID.slice('sha256:'.length);
    for (const id of [
      imageID,
      hex,
      hex.slice(0, 12),
      `sha256:${hex.slice(0, 7)}`,
      descriptor.digest,
      hexOf(descriptor.digest),
    ]) {
      expect(findImage(store, id).descriptor).toEqual(descriptor);
    }
  });

  test('finds an image without a name by its id', async () => {
    const store = newStore();
    const { descriptor, imageID } = await sampleImage(store);
    expect(() => findImage(store, imageID)).toThrow(
      expect.objectContaining({ code: 'IMAGE_NOT_FOUND' }),
    );
    await store.keep(descriptor);
    expect(findImage(store, imageID).imageID).toBe(imageID);
  });

  test('finds it by repository and digest', async () => {
    const store = newStore();
    const { descriptor } = await sampleImage(store, { names: ['localhost:5000/app:1'] });
    expect(findImage(store, `localhost:5000/app@${descriptor.digest}`).descriptor).toEqual(
      descriptor,
    );
    expect(() => findImage(store, `localhost:5000/application@${descriptor.digest}`)).toThrow(
      'is not in the store',
    );
  });

  test('prefers a name to an id that looks like it', async () => {
    const store = newStore();
    const { imageID } = await sampleImage(store, { names: ['app'] });
    const prefix = imageID.slice('sha256:'.length, 'sha256:'.length + 6);
    const named = await sampleImage(store, { names: [prefix], layers: [{ other: '' }] });
    expect(findImage(store, prefix).imageID).toBe(named.imageID);
  });

  test('refuses an id that several images begin with', async () => {
    const store = newStore();
    for (let i = 0; i < 17; i++)
      await sampleImage(store, { names: [`app:${i}`], layers: [{ file: String(i) }] });
    const prefixes = [...'0123456789abcdef'];
    const codes = prefixes.map((prefix) => {
      try {
        findImage(store, `sha256:${prefix}`);
      } catch (error) {
        return (error as { code: string }).code;
      }
      return 'found';
    });
    expect(codes).toContain('USAGE');
  });

  test.each([
    ['a name that is not there', 'no-such-image', 'IMAGE_NOT_FOUND'],
    ['an id that is not there', 'f'.repeat(64), 'IMAGE_NOT_FOUND'],
    ['what is no name', 'UPPER CASE', 'USAGE'],
  ])('fails for %s', async (_case, name, code) => {
    const store = newStore();
    await sampleImage(store, { names: ['app'] });
    expect(() => findImage(store, name)).toThrow(expect.objectContaining({ code }));
  });

  test('treats an image that lost a part as one that is not there', async () => {
    const store = newStore();
    const { descriptor, imageID, layers } = await sampleImage(store, { names: ['app'] });
    for (const digest of [layers[0]!.diffID, imageID, descriptor.digest] as const) {
      fs.rmSync(store.blobPath(digest as typeof descriptor.digest));
      expect(() => findImage(store, 'app')).toThrow(
        expect.objectContaining({
          code: 'IMAGE_NOT_FOUND',
          message: expect.stringContaining(digest),
        }),
      );
    }
  });
});

describe('readImage', () => {
  test('chooses the manifest for the platform', async () => {
    const store = newStore();
    const index = await sampleIndex(store, [AMD64, ARM64]);
    expect(readImage(store, index, ARM64).config.architecture).toBe('arm64');
    expect(readImage(store, index, { ...ARM64, variant: 'v8' }).config.architecture).toBe('arm64');
    expect(readImage(store, index, AMD64).config.architecture).toBe('amd64');
  });

  test('says for what platforms there is an image', async () => {
    const store = newStore();
    const index = await sampleIndex(store, [AMD64, ARM64]);
    await store.tag('docker.io/library/app:latest', index);
    expect(() => findImage(store, 'app', { os: 'linux', architecture: 's390x' })).toThrow(
      expect.objectContaining({
        code: 'PLATFORM',
        hint: 'it is there for linux/amd64, linux/arm64',
      }),
    );
    const single = await sampleImage(store);
    expect(() => readImage(store, single.descriptor, ARM64)).toThrow(
      expect.objectContaining({ code: 'PLATFORM' }),
    );
  });

  test('takes what the store has of an index', async () => {
    const store = newStore();
    const index = await sampleIndex(store, [AMD64, { os: 'linux', architecture: 's390x' }]);
    const amd64 = readImage(store, index, AMD64);
    fs.rmSync(store.blobPath(amd64.descriptor.digest));
    expect(readImage(store, index).config.architecture).toBe('s390x');
    expect(() => readImage(store, index, AMD64)).toThrow(
      expect.objectContaining({ code: 'PLATFORM' }),
    );
  });
});

describe('assembleImage', () => {
  test('gives the same bytes for the same input, whatever the order of its members', async () => {
    const store = newStore();
    const layer = await sampleLayer(store, { file: '' });
    const one = assembleImage(store, {
      config: {
        os: 'linux',
        architecture: 'amd64',
        config: { User: 'u', Labels: { b: '2', a: '1' }, Env: ['B=1', 'A=2'] },
        rootfs: { type: 'layers', diff_ids: [] },
        history: [{ created_by: 'x', comment: 'y' }],
      },
      layers: [{ layer }],
      annotations: { b: '2', a: '1' },
    });
    const two = assembleImage(store, {
      config: {
        history: [{ comment: 'y', created_by: 'x' }],
        rootfs: { diff_ids: [layer.diffID, layer.diffID], type: 'layers' },
        config: { Env: ['B=1', 'A=2'], Labels: { a: '1', b: '2' }, User: 'u' },
        architecture: 'amd64',
        os: 'linux',
      },
      layers: [{ layer }],
      annotations: { a: '1', b: '2' },
    });
    expect(two).toEqual(one);
    expect(store.readBlob(one.imageID).toString()).toBe(
      `{"architecture":"amd64","os":"linux","config":{"User":"u","Env":["B=1","A=2"],"Labels":{"a":"1","b":"2"}},` +
        `"rootfs":{"type":"layers","diff_ids":["${layer.diffID}"]},"history":[{"created_by":"x","comment":"y"}]}`,
    );
    expect(await validateImage(store, one.descriptor)).toEqual([]);
  });

  test('refers to a pulled layer by the blob that was pulled', async () => {
    const store = newStore();
    const layer = await sampleLayer(store, { file: 'pulled' });
    const descriptor = {
      mediaType: DOCKER_LAYER_GZIP,
      ...store.writeBlob(Buffer.from('compressed')),
    };
    const { descriptor: manifest } = assembleImage(store, {
      config: { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [] } },
      layers: [{ layer, descriptor }],
    });
    const image = readImage(store, manifest);
    expect(image.manifest.layers).toEqual([{ ...descriptor, mediaType: OCI_LAYER_GZIP }]);
    expect(image.layers).toEqual([layer]);
  });
});
