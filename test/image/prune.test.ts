import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { noteLayerBlob } from '../../src/image/layer-blobs.ts';
import { type PruneOptions, prune } from '../../src/image/prune.ts';
import { diskUsage } from '../../src/image/usage.ts';
import { validateImage } from '../../src/image/validate.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { OCI_INDEX } from '../../src/oci/media-types.ts';
import { layerFiles } from '../../src/store/gc.ts';
import { useStore } from '../../src/store/lease.ts';
import type { Store } from '../../src/store/store.ts';
import { newStore, sampleImage, sampleLayer } from '../helpers/images.ts';
import { compileScript } from '../helpers/script.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const NOTHING_CACHED: PruneOptions = { cachedLayers: () => [] };
const blobNames = (store: Store) => fs.readdirSync(path.join(store.content, 'blobs/sha256'));
const formNames = (store: Store) => fs.readdirSync(store.path('layers'));

describe('prune', () => {
  test('keeps every byte that a named image needs, and removes everything else', async () => {
    const store = newStore();
    const { descriptor } = await sampleImage(store, {
      names: ['kept:1', 'kept:2'],
      layers: [{ a: 'a' }, { b: 'b' }],
    });
    const before = blobNames(store).sort();
    const forms = formNames(store).sort();
    await sampleImage(store, { layers: [{ a: 'a' }, { c: 'c' }] });
    store.writeBlob(Buffer.from('unneeded'));
    const { reclaimed, blobs } = await prune(store, NOTHING_CACHED);
    expect(blobNames(store).sort()).toEqual(before);
    expect(formNames(store).sort()).toEqual(forms);
    expect(blobs).toHaveLength(4);
    expect(reclaimed).toBeGreaterThan(1024);
    expect(await validateImage(store, descriptor)).toEqual([]);
    expect((await prune(store, NOTHING_CACHED)).reclaimed).toBe(0);
  });

  test('keeps layers of the cache, with their indexes and what was compressed of them', async () => {
    const store = newStore();
    const cached = await sampleLayer(store, { a: 'a' });
    const dropped = await sampleLayer(store, { b: 'b' });
    const gzip = store.writeBlob(Buffer.from('compressed a'));
    noteLayerBlob(store, cached.diffID, { compression: 'gzip', ...gzip });
    noteLayerBlob(store, dropped.diffID, {
      compression: 'gzip',
      ...store.writeBlob(Buffer.from('compressed b')),
    });
    await prune(store, { cachedLayers: () => [cached.diffID] });
    const hex = (digest: Digest) => digest.slice('sha256:'.length);
    expect(blobNames(store).sort()).toEqual([hex(cached.diffID), hex(gzip.digest)].sort());
    expect(formNames(store).sort()).toEqual([
      `${hex(cached.diffID)}.blobs`,
      `${hex(cached.diffID)}.index`,
    ]);
  });

  test('removes images without a name', async () => {
    const store = newStore();
    const old = await sampleImage(store, { names: ['app'], layers: [{ a: 'old' }] });
    const young = await sampleImage(store, { names: ['app'], layers: [{ a: 'new' }] });
    expect(store.images()).toHaveLength(2);
    await prune(store, NOTHING_CACHED);
    expect(store.images().map(({ descriptor }) => descriptor)).toEqual([young.descriptor]);
    expect(store.blobSize(old.descriptor.digest)).toBeUndefined();
  });

  test('keeps all platforms of an index', async () => {
    const store = newStore();
    const manifests = [];
    for (const architecture of ['amd64', 'arm64']) {
      const { descriptor } = await sampleImage(store, {
        architecture,
        layers: [{ file: architecture }],
      });
      manifests.push({ ...descriptor, platform: { os: 'linux', architecture } });
    }
    const bytes = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }),
    );
    const index = { mediaType: OCI_INDEX, ...store.writeBlob(bytes) };
    await store.tag('docker.io/library/multi:latest', index);
    await prune(store, NOTHING_CACHED);
    expect(await validateImage(store, index)).toEqual([]);
  });

  test('leaves what is younger than asked for', async () => {
    const store = newStore();
    const image = await sampleImage(store);
    await store.keep(image.descriptor);
    store.writeBlob(Buffer.from('young'));
    const before = blobNames(store);
    await prune(store, { ...NOTHING_CACHED, before: Date.now() - 60_000 });
    expect(blobNames(store)).toEqual(before);
    expect(store.images()).toHaveLength(1);
    await prune(store, { ...NOTHING_CACHED, before: Date.now() + 60_000 });
    expect(blobNames(store)).toEqual([]);
  });

  test('does not take for unneeded what another error hides', async () => {
    const store = newStore();
    const { descriptor } = await sampleImage(store, { names: ['app'] });
    const file = store.blobPath(descriptor.digest);
    fs.rmSync(file);
    fs.symlinkSync(path.basename(file), file);
    const before = blobNames(store);
    await expect(prune(store, NOTHING_CACHED)).rejects.toMatchObject({ code: 'STORE' });
    expect(blobNames(store)).toEqual(before);
  });

  test('refuses while somebody uses the store, and not when that was killed', async () => {
    const directory = tempDirectory();
    const store = newStore();
    const user = compileScript(
      directory,
      `import { openStore } from '#src/store/store.ts';
       import { useStore } from '#src/store/lease.ts';
       import fs from 'node:fs';
       const store = openStore(process.argv[2]);
       await useStore(store);
       fs.writeFileSync(store.tempDir() + '/half', 'x'.repeat(5000));
       console.log('using');
       process.stdin.resume();`,
    ).start(store.home);
    await user.line();
    await using own = await useStore(store);
    await expect(prune(store, NOTHING_CACHED)).rejects.toMatchObject({
      code: 'CONFLICT',
      retryable: true,
    });
    await own[Symbol.asyncDispose]();
    await expect(prune(store, NOTHING_CACHED)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(diskUsage(store, []).find(({ type }) => type === 'temporary files')).toMatchObject({
      size: 5000,
      reclaimable: 0,
    });
    await user.kill();
    expect(diskUsage(store, []).find(({ type }) => type === 'temporary files')).toMatchObject({
      reclaimable: 5000,
    });
    expect(await prune(store, NOTHING_CACHED)).toMatchObject({ reclaimed: 5000, left: [] });
  });

  test('has directories removed by who can, and goes on when that fails', async () => {
    const store = newStore();
    const { diffID } = await sampleLayer(store, { a: 'a' });
    const form = store.path('layers', diffID.slice('sha256:'.length));
    fs.mkdirSync(path.join(form, 'unpacked'), { recursive: true });
    const asked: string[] = [];
    const failing = async (directory: string) => {
      asked.push(directory);
      throw new Error('not allowed');
    };
    const { left } = await prune(store, { ...NOTHING_CACHED, removeTree: failing });
    expect([asked, left.map(({ path }) => path)]).toEqual([[form], [form]]);
    expect(blobNames(store)).toEqual([]);
    await prune(store, NOTHING_CACHED);
    expect(formNames(store)).toEqual([]);
  });
});

test('diskUsage tells what is whose, and counts nothing twice', async () => {
  const store = newStore();
  const named = await sampleImage(store, { names: ['app:1', 'app:2'], layers: [{ shared: 's' }] });
  const nameless = await sampleImage(store, { layers: [{ shared: 's' }, { other: 'o' }] });
  await store.keep(nameless.descriptor);
  const cached = await sampleLayer(store, { cached: 'c' });
  const { size: unused } = store.writeBlob(Buffer.from('unused'));
  const rows = diskUsage(store, [cached.diffID, named.layers[0]!.diffID]);
  const row = (type: string) => rows.find((each) => each.type === type)!;
  const sizes = (digests: readonly string[]) =>
    digests.reduce((sum, digest) => sum + store.blobSize(digest as Digest)!, 0);
  const formSizes = (...layers: readonly string[]) =>
    layerFiles(store)
      .filter(({ digest }) => layers.includes(digest))
      .reduce((sum, { size }) => sum + size, 0);
  const own = sizes([nameless.descriptor.digest, nameless.imageID, nameless.layers[1]!.diffID]);
  const all = own + sizes([named.descriptor.digest, named.imageID, named.layers[0]!.diffID]);
  expect(row('images')).toEqual({
    type: 'images',
    count: 2,
    size: all + formSizes(named.layers[0]!.diffID, nameless.layers[1]!.diffID),
    reclaimable: own + formSizes(nameless.layers[1]!.diffID),
  });
  const ofCache = cached.size + formSizes(cached.diffID);
  expect(row('build cache')).toEqual({
    type: 'build cache',
    count: 2,
    size: ofCache,
    reclaimable: ofCache,
  });
  expect(row('unused content')).toEqual({
    type: 'unused content',
    count: 1,
    size: unused,
    reclaimable: unused,
  });
  expect(diskUsage(newStore(), []).every(({ count, size }) => count === 0 && size === 0)).toBe(
    true,
  );
});
