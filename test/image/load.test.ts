import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { inlineWorkers, type Workers } from '../../src/host/workers.ts';
import { findImage } from '../../src/image/image.ts';
import { loadImages } from '../../src/image/load.ts';
import { pushImage } from '../../src/image/push.ts';
import { graphOf } from '../../src/image/save.ts';
import { listManifests } from '../../src/image/select.ts';
import { validateImage } from '../../src/image/validate.ts';
import { layerTasks } from '../../src/layer/tasks.ts';
import { digestOf, hexOf } from '../../src/oci/digest.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { type HandMadeEntry, tarOf } from '../helpers/archives.ts';
import { newStore } from '../helpers/images.ts';
import { testClient, testRegistry } from '../helpers/registry-client.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const LAYER = tarOf([{ name: 'etc/' }, { name: 'etc/motd', content: 'hello' }]);
const CONFIG = Buffer.from(
  JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    rootfs: { type: 'layers', diff_ids: [digestOf(LAYER)] },
  }),
);
const CONFIG_NAME = `${hexOf(digestOf(CONFIG))}.json`;
const V1_ID = 'a'.repeat(64);

function oldManifest(change: object = {}): HandMadeEntry {
  const image = {
    Config: CONFIG_NAME,
    RepoTags: ['old:1'],
    Layers: [`${V1_ID}/layer.tar`],
    ...change,
  };
  return { name: 'manifest.json', content: JSON.stringify([image]) };
}
const OLD_CONFIG = { name: CONFIG_NAME, content: CONFIG };
const OLD_LAYER = { name: `${V1_ID}/layer.tar`, content: LAYER };

function layout(
  options: { layer?: Uint8Array; config?: Uint8Array; manifest?: object; entry?: object } = {},
): HandMadeEntry[] {
  const blob = (bytes: Uint8Array) => ({
    name: `blobs/sha256/${hexOf(digestOf(bytes))}`,
    content: bytes,
  });
  const config = options.config ?? CONFIG;
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: OCI_CONFIG, digest: digestOf(config), size: config.length },
      layers: [{ mediaType: OCI_LAYER, digest: digestOf(LAYER), size: LAYER.length }],
      ...options.manifest,
    }),
  );
  const entry = {
    mediaType: OCI_MANIFEST,
    digest: digestOf(manifest),
    size: manifest.length,
    annotations: { 'io.containerd.image.name': 'docker.io/library/new:1' },
    ...options.entry,
  };
  return [
    { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    {
      name: 'index.json',
      content: JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entry] }),
    },
    blob(manifest),
    blob(config),
    { ...blob(LAYER), content: options.layer ?? LAYER },
  ];
}

const load = (entries: readonly HandMadeEntry[], store = newStore()) =>
  loadImages(store, Readable.from([tarOf(entries)]));

describe('an archive of an old docker save', () => {
  test('is loaded, with the id that it had', async () => {
    const store = newStore();
    const [loaded] = await load(
      [OLD_CONFIG, { name: `${V1_ID}/` }, OLD_LAYER, oldManifest({ RepoTags: ['old:1', 'old:2'] })],
      store,
    );
    expect(loaded).toMatchObject({
      names: ['docker.io/library/old:1', 'docker.io/library/old:2'],
      imageID: digestOf(CONFIG),
    });
    expect(findImage(store, 'old:2').layers).toHaveLength(1);
    expect(await validateImage(store, loaded!.descriptor)).toEqual([]);
  });

  test('may have symlinks and hard links for layers that it has twice', async () => {
    const symlink = {
      name: `${V1_ID}/layer.tar`,
      type: 'symlink',
      linkName: '../first/layer.tar',
    } as const;
    const hardLink = {
      name: `${V1_ID}/layer.tar`,
      type: 'link',
      linkName: 'first/layer.tar',
    } as const;
    for (const link of [symlink, hardLink]) {
      const entries = [
        OLD_CONFIG,
        { name: 'first/layer.tar', content: LAYER },
        link,
        oldManifest(),
      ];
      expect(await load(entries)).toHaveLength(1);
    }
  });

  test('of an image without layers or names is loaded', async () => {
    const config = Buffer.from(
      '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":null}}',
    );
    const entries = [
      { name: 'config', content: config },
      oldManifest({ Config: 'config', RepoTags: null, Layers: null }),
    ];
    expect(await load(entries)).toMatchObject([{ names: [], imageID: digestOf(config) }]);
  });
});

describe('an OCI layout', () => {
  test.each([
    [
      {
        'io.containerd.image.name': 'docker.io/library/a:1',
        'org.opencontainers.image.ref.name': '1',
      },
      ['docker.io/library/a:1'],
    ],
    [{ 'org.opencontainers.image.ref.name': 'localhost/a:1' }, ['localhost/a:1']],
    [{ 'org.opencontainers.image.ref.name': 'busybox:1' }, ['docker.io/library/busybox:1']],
    [{ 'org.opencontainers.image.ref.name': 'latest' }, []],
    [{}, []],
  ])('with the annotations %j is called %j', async (annotations, names) => {
    expect(await load(layout({ entry: { annotations } }))).toMatchObject([{ names }]);
  });

  test('that has names in manifest.json alone gets those', async () => {
    const manifest = oldManifest({ Config: `blobs/sha256/${hexOf(digestOf(CONFIG))}` });
    expect(await load([...layout({ entry: { annotations: {} } }), manifest])).toMatchObject([
      { names: ['docker.io/library/old:1'] },
    ]);
  });

  test('heals what is damaged in the store', async () => {
    const store = newStore();
    await load(layout(), store);
    fs.truncateSync(store.blobPath(digestOf(LAYER)), 100);
    const [loaded] = await load(layout(), store);
    expect(await validateImage(store, loaded!.descriptor)).toEqual([]);
  });
});

describe('large layers', () => {
  const tars = ['a', 'b'].map((name) => tarOf([{ name, content: randomBytes(1_500_000) }]));
  const [first, second] = tars as [Buffer, Buffer];
  /** The first layer comes a second time, in another blob. */
  const layers: readonly [Buffer, Buffer][] = [
    [gzipSync(first), first],
    [gzipSync(second), second],
    [gzipSync(first), first],
    [gzipSync(first, { level: 1 }), first],
  ];
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: layers.map(([, tar]) => digestOf(tar)) },
    }),
  );
  const manifest = {
    layers: layers.map(([blob]) => ({
      mediaType: `${OCI_LAYER}+gzip`,
      digest: digestOf(blob),
      size: blob.length,
    })),
  };
  const blobs = layers.map(([content]) => ({
    name: `blobs/sha256/${hexOf(digestOf(content))}`,
    content,
  }));
  const entries = [...layout({ config, manifest }), ...blobs];

  test('are received by worker threads, those that come twice once, and their blobs are kept', async () => {
    const store = newStore();
    const inputs: unknown[] = [];
    const inline = inlineWorkers(layerTasks);
    const workers = async (): Promise<Workers> => ({
      ...inline,
      run(task, input, options) {
        inputs.push(task);
        return inline.run(task, input, options);
      },
    });
    const seen = new Map<string, number>();
    const [loaded] = await loadImages(store, Readable.from([tarOf(entries)]), {
      workers,
      onProgress: (layer, current) => seen.set(layer, current),
    });
    expect(inputs.length).toBeGreaterThanOrEqual(2);
    expect(inputs.length).toBeLessThanOrEqual(3);
    expect(seen).toEqual(new Map(tars.map((tar) => [digestOf(tar), tar.length])));
    for (const [blob] of layers) expect(store.blobSize(digestOf(blob))).toBe(blob.length);
    expect(await validateImage(store, loaded!.descriptor)).toEqual([]);
  });

  test('fail as small ones do, and the others are given up', async () => {
    const damaged = blobs.map(({ name, content }, at) => ({
      name,
      content: at === 1 ? Buffer.from(content).fill(0, 1000, 2000) : content,
    }));
    const loading = loadImages(newStore(), Readable.from([tarOf([...entries, ...damaged])]), {
      workers: async () => inlineWorkers(layerTasks),
    });
    await expect(loading).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });
});

describe('a hostile or damaged archive is refused with the name of the entry:', () => {
  const layerName = `blobs/sha256/${hexOf(digestOf(LAYER))}`;
  const other = tarOf([{ name: 'etc/motd', content: 'other' }]);
  const sameSize = Buffer.from(LAYER).fill('X', 512 + 512, 512 + 512 + 5);
  const cases: [string, readonly HandMadeEntry[], string, RegExp][] = [
    [
      'name-outside-root',
      [...layout(), { name: '../../evil', content: '' }],
      'ARCHIVE',
      /\.\.\/\.\.\/evil/,
    ],
    ['no-images', [{ name: 'etc/passwd', content: '' }], 'ARCHIVE', /neither an OCI layout nor/],
    ['ancient', [{ name: 'repositories', content: '{}' }], 'ARCHIVE', /neither an OCI layout nor/],
    ['empty', [], 'ARCHIVE', /holds no images|archive/],
    [
      'layer-symlink-outside',
      [
        OLD_CONFIG,
        { name: OLD_LAYER.name, type: 'symlink', linkName: '../../etc/shadow' },
        oldManifest(),
      ],
      'ARCHIVE',
      /layer\.tar/,
    ],
    [
      'layer-symlink-absolute',
      [
        OLD_CONFIG,
        { name: OLD_LAYER.name, type: 'symlink', linkName: '/etc/shadow' },
        oldManifest(),
      ],
      'ARCHIVE',
      /layer\.tar/,
    ],
    [
      'layer-symlink-loop',
      [OLD_CONFIG, { name: OLD_LAYER.name, type: 'symlink', linkName: 'layer.tar' }, oldManifest()],
      'ARCHIVE',
      /layer\.tar/,
    ],
    [
      'layer-is-a-device',
      [
        OLD_CONFIG,
        { name: OLD_LAYER.name, type: 'char', device: { major: 1, minor: 5 } },
        oldManifest(),
      ],
      'ARCHIVE',
      /layer\.tar.*not a file/,
    ],
    ['layer-missing', [OLD_CONFIG, oldManifest()], 'ARCHIVE', /layer\.tar.*missing/],
    [
      'layer-outside-root',
      [OLD_CONFIG, oldManifest({ Layers: ['../../etc/shadow'] })],
      'ARCHIVE',
      /etc\/shadow/,
    ],
    [
      'layer-with-another-digest',
      [OLD_CONFIG, { ...OLD_LAYER, content: other }, oldManifest()],
      'DIGEST_MISMATCH',
      /layer\.tar/,
    ],
    [
      'layer-that-is-no-tar',
      [OLD_CONFIG, { ...OLD_LAYER, content: 'x'.repeat(1024) }, oldManifest()],
      'ARCHIVE',
      /layer\.tar/,
    ],
    [
      'config-missing',
      [OLD_LAYER, oldManifest()],
      'ARCHIVE',
      new RegExp(`${CONFIG_NAME}.*missing`),
    ],
    [
      'config-with-another-digest',
      [{ ...OLD_CONFIG, content: `${CONFIG} ` }, OLD_LAYER, oldManifest()],
      'DIGEST_MISMATCH',
      new RegExp(CONFIG_NAME),
    ],
    [
      'config-of-other-layers',
      [OLD_CONFIG, OLD_LAYER, oldManifest({ Layers: [OLD_LAYER.name, OLD_LAYER.name] })],
      'ARCHIVE',
      /1 layers, manifest\.json of 2/,
    ],
    [
      'manifest-that-is-no-json',
      [{ name: 'manifest.json', content: '[' }],
      'MANIFEST',
      /manifest\.json/,
    ],
    [
      'manifest-of-another-shape',
      [{ name: 'manifest.json', content: '{"Config":1}' }],
      'MANIFEST',
      /manifest\.json/,
    ],
    [
      'manifest-too-large',
      [{ name: 'manifest.json', content: ' '.repeat(5 << 20) }],
      'ARCHIVE',
      /manifest\.json.*too large/,
    ],
    [
      'name-that-is-none',
      [OLD_CONFIG, OLD_LAYER, oldManifest({ RepoTags: ['../evil'] })],
      'ARCHIVE',
      /\.\.\/evil.*not a name/,
    ],
    [
      'blob-of-another-size',
      layout({ layer: Buffer.concat([LAYER, LAYER]) }),
      'DIGEST_MISMATCH',
      new RegExp(layerName),
    ],
    ['blob-of-other-bytes', layout({ layer: sameSize }), 'DIGEST_MISMATCH', new RegExp(layerName)],
    ['blob-missing', layout().slice(0, -1), 'ARCHIVE', new RegExp(`${layerName}.*missing`)],
    [
      'digest-outside-root',
      layout({ entry: { digest: 'sha256:../../../etc/shadow' } }),
      'MANIFEST',
      /digest/,
    ],
    [
      'diffID-of-another-layer',
      layout({ config: Buffer.from(CONFIG.toString().replace(/sha256:.{4}/, 'sha256:0000')) }),
      'DIGEST_MISMATCH',
      new RegExp(layerName),
    ],
  ];

  test.each(cases)('%s', async (_hazard, entries, code, message) => {
    const store = newStore();
    await expect(load(entries, store)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(store.images()).toEqual([]);
    expect(fs.readdirSync(store.path('tmp'))).toEqual([]);
  });

  test.each([
    ['cut-in-a-blob', (bytes: Buffer) => bytes.subarray(0, bytes.length - 2048)],
    ['cut-in-a-header', (bytes: Buffer) => bytes.subarray(0, 700)],
    ['wrong-checksum', (bytes: Buffer) => bytes.fill('9', 148, 154)],
  ])('%s', async (_hazard, damage) => {
    const store = newStore();
    const bytes = damage(tarOf([...layout(), { name: 'last', content: 'x'.repeat(4000) }]));
    await expect(loadImages(store, Readable.from([bytes]))).rejects.toMatchObject({
      code: 'ARCHIVE',
    });
    expect(store.images()).toEqual([]);
  });

  test('huge-declared-size', async () => {
    const bytes = Buffer.concat([
      tarOf([{ name: 'manifest.json', size: 8 * 2 ** 40 }]).subarray(0, 2048),
    ]);
    await expect(loadImages(newStore(), Readable.from([bytes]))).rejects.toMatchObject({
      code: 'ARCHIVE',
      message: expect.stringContaining('manifest.json'),
    });
  });

  /** Read by who follows each, that is 300⁴ manifests. */
  test('indexes-of-the-same-index-many-times', async () => {
    const image = layout({ entry: {} });
    const index = JSON.parse(String(image[1]!.content));
    const entries: HandMadeEntry[] = image.filter(({ name }) => name !== 'index.json');
    let children = index.manifests;
    for (let level = 0; level < 4; level += 1) {
      const same = Array(300).fill({ ...children[0], annotations: undefined });
      const bytes = Buffer.from(
        JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: same }),
      );
      const digest = digestOf(bytes);
      entries.push({ name: `blobs/sha256/${hexOf(digest)}`, content: bytes });
      const { annotations } = index.manifests[0];
      children = [{ mediaType: OCI_INDEX, digest, size: bytes.length, annotations }];
    }
    const content = JSON.stringify({ ...index, manifests: children });
    const store = newStore();
    await load([...entries, { name: 'index.json', content }], store);
    const name = 'docker.io/library/new:1';
    const descriptor = store.resolveTag(name)!;
    expect(listManifests(store, descriptor)).toHaveLength(300);
    expect(graphOf(store, descriptor)).toHaveLength(1 + 1 + 1 + 4);
    const registry = await testRegistry();
    const reference = parseReference(`${registry.host}/team/app:1`);
    const target = testClient().repository(reference);
    const workers = inlineWorkers(layerTasks);
    await pushImage({ store, target, reference, descriptor, workers, step: 'push' });
    expect(registry.requests.length).toBeLessThan(2000);
  });

  test('gzip-cut-short', async () => {
    const { gzipSync } = await import('node:zlib');
    const bytes = gzipSync(tarOf(layout()));
    await expect(
      loadImages(newStore(), Readable.from([bytes.subarray(0, -20)])),
    ).rejects.toMatchObject({ code: 'ARCHIVE' });
  });

  test.each([
    ['missing-file', () => path.join(tempDirectory(), 'none'), 'NOT_FOUND'],
    ['directory', () => tempDirectory(), 'ARCHIVE'],
  ])('%s', async (_hazard, file, code) => {
    await expect(loadImages(newStore(), file())).rejects.toMatchObject({ code });
  });
});
