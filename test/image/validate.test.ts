import fs from 'node:fs';
import zlib from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { assembleImage, writeManifest } from '../../src/image/assemble.ts';
import { readManifest } from '../../src/image/image.ts';
import { validateImage } from '../../src/image/validate.ts';
import { OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { newStore, sampleImage, sampleLayer } from '../helpers/images.ts';

describe('validateImage', () => {
  test('finds nothing wrong with a good image, plain, compressed or of several platforms', async () => {
    const store = newStore();
    const plain = await sampleImage(store, { layers: [{ a: 'a' }, { b: 'b' }] });
    const layer = await sampleLayer(store, { c: 'c' });
    const squeezed = store.writeBlob(zlib.gzipSync(fs.readFileSync(layer.tar)));
    const config = {
      os: 'linux',
      architecture: 'arm64',
      rootfs: { type: 'layers' as const, diff_ids: [] },
    };
    const compressed = assembleImage(store, {
      config,
      layers: [{ layer, descriptor: { mediaType: OCI_LAYER_GZIP, ...squeezed } }],
    });
    const manifests = [
      { ...plain.descriptor, platform: { os: 'linux', architecture: 'amd64' } },
      { ...compressed.descriptor, platform: { os: 'linux', architecture: 'arm64' } },
    ];
    const index = store.writeBlob(
      Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests })),
    );
    expect(await validateImage(store, { mediaType: OCI_INDEX, ...index })).toEqual([]);
  });

  test('finds a layer that is missing, damaged, cut short, or not the one of the configuration', async () => {
    const store = newStore();
    const { descriptor, layers } = await sampleImage(store, {
      layers: [{ a: 'a' }, { b: 'b' }, { c: 'c' }],
    });
    const [missing, damaged, short] = layers.map((layer) => layer.tar);
    fs.rmSync(missing!);
    fs.writeFileSync(damaged!, Buffer.alloc(fs.statSync(damaged!).size));
    fs.truncateSync(short!, 512);
    const problems = await validateImage(store, descriptor);
    expect(problems).toHaveLength(3);
    for (const [at, layer] of layers.entries()) expect(problems[at]).toContain(layer.diffID);
    const image = await sampleImage(store, { layers: [{ d: 'd' }] });
    const other = await sampleLayer(store, { e: 'e' });
    const { config, layers: descriptors } = readManifest(store, image.descriptor);
    const swapped = writeManifest(store, {
      config,
      layers: [{ ...descriptors[0]!, digest: other.diffID, size: other.size }],
    });
    expect(await validateImage(store, swapped)).toEqual([
      expect.stringContaining('its tar has the digest'),
    ]);
  });

  test('finds documents that contradict each other', async () => {
    const store = newStore();
    const image = await sampleImage(store);
    const { config, layers } = readManifest(store, image.descriptor);
    const doubled = writeManifest(store, { config, layers: [...layers, ...layers] });
    expect(await validateImage(store, doubled)).toEqual([
      expect.stringContaining('1 diffIDs for 2 layers'),
    ]);
    const platform = { os: 'linux', architecture: 'arm64' };
    expect(await validateImage(store, { ...image.descriptor, platform })).toEqual([
      expect.stringContaining('its descriptor says otherwise'),
    ]);
    const mislabeled = { ...image.descriptor, mediaType: OCI_INDEX };
    expect(await validateImage(store, mislabeled)).toEqual([
      expect.stringContaining(`calls itself ${OCI_MANIFEST}`),
    ]);
  });
});
