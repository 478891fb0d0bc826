import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { copyGraph } from '../../src/image/copy-graph.ts';
import type { Fetcher, Pusher } from '../../src/oci/content.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER_GZIP, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { newStore } from '../helpers/images.ts';
import { blob } from '../helpers/registry-client.ts';

type Blob = ReturnType<typeof blob>;

/** Content in memory, which notes the order in which it came. */
function memory(blobs: readonly Blob[] = []) {
  const content = new Map<string, Buffer>(blobs.map(({ digest, bytes }) => [digest, bytes]));
  const order: string[] = [];
  const source: Fetcher & Pusher = {
    exists: async ({ digest }) => content.has(digest),
    fetch: async ({ digest }) => {
      const bytes = content.get(digest);
      if (bytes === undefined) throw new Error(`no ${digest}`);
      return Readable.from([bytes]);
    },
    push: async ({ digest }, open) => {
      if (content.has(digest)) return 'exists';
      const chunks: Buffer[] = [];
      for await (const chunk of await open()) chunks.push(chunk);
      content.set(digest, Buffer.concat(chunks));
      order.push(digest);
      return 'pushed';
    },
  };
  return { ...source, content, order };
}

function document(mediaType: string, members: object): Blob {
  return blob(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...members })), mediaType);
}

const plain = ({ bytes: _, ...descriptor }: Blob): Descriptor => descriptor;

const base = blob(Buffer.from('base'), OCI_LAYER_GZIP);
const images = ['amd64', 'arm64'].map((architecture) => {
  const config = blob(Buffer.from(JSON.stringify({ architecture })), OCI_CONFIG);
  const layer = blob(Buffer.from(`layer of ${architecture}`), OCI_LAYER_GZIP);
  const manifest = document(OCI_MANIFEST, {
    config: plain(config),
    layers: [plain(base), plain(layer)],
  });
  return { architecture, config, layer, manifest };
});
const index = document(OCI_INDEX, {
  manifests: images.map(({ manifest, architecture }) => ({
    ...plain(manifest),
    platform: { os: 'linux', architecture },
  })),
});
const all = [
  base,
  ...images.flatMap(({ config, layer, manifest }) => [config, layer, manifest]),
  index,
];

test('everything is copied once, children before what points at them, byte for byte', async () => {
  const source = memory(all);
  const target = memory();
  await copyGraph(source, target, plain(index));
  expect(target.content).toEqual(source.content);
  expect(target.order).toHaveLength(all.length);
  const at = (digest: string) => target.order.indexOf(digest);
  for (const { manifest, config, layer } of images) {
    expect(at(manifest.digest)).toBeGreaterThan(
      Math.max(at(config.digest), at(layer.digest), at(base.digest)),
    );
  }
  expect(at(index.digest)).toBe(all.length - 1);
});

test('what the target has is not fetched, and a document that it has speaks for its children', async () => {
  const source = memory(all);
  const target = memory([base, images[0]!.manifest]);
  const outcomes: string[] = [];
  await copyGraph(source, target, plain(index), {
    onCopied: ({ digest }, outcome) => outcomes.push(`${digest} ${outcome}`),
  });
  expect(outcomes).toContain(`${base.digest} exists`);
  expect(outcomes).toContain(`${images[0]!.manifest.digest} exists`);
  expect(target.content.has(images[0]!.config.digest)).toBe(false);
});

test('only the chosen children of an index are copied', async () => {
  const target = memory();
  await copyGraph(memory(all), target, plain(index), {
    select: ({ platform }) => platform?.architecture === 'arm64',
  });
  expect(target.content.has(images[1]!.manifest.digest)).toBe(true);
  expect(target.content.has(images[0]!.manifest.digest)).toBe(false);
});

test('no more than so many transfers are under way at once', async () => {
  let open = 0;
  let most = 0;
  const target = memory();
  const counting: typeof target = {
    ...target,
    push: async (...call) => {
      open += 1;
      most = Math.max(most, open);
      await new Promise((resolve) => setImmediate(resolve));
      open -= 1;
      return target.push(...call);
    },
  };
  await copyGraph(memory(all), counting, plain(index), { concurrency: 2 });
  expect(most).toBe(2);
});

test('the first failure stops the rest, and nothing points at what is missing', async () => {
  const source = memory(all);
  source.content.delete(images[0]!.layer.digest);
  const target = memory();
  await expect(copyGraph(source, target, plain(index))).rejects.toThrow(
    `no ${images[0]!.layer.digest}`,
  );
  expect(target.content.has(index.digest)).toBe(false);
  expect(target.content.has(images[0]!.manifest.digest)).toBe(false);
});

test('an abort ends the copying with its reason', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const copying = copyGraph(memory(all), memory(), plain(index), {
    signal: controller.signal,
    onCopied: () => controller.abort(reason),
  });
  // A target in memory does not listen: what counts is that the signal reached it, or that it was done before.
  await copying.catch((error: unknown) => expect(error).toBe(reason));
});

test('a store is a target like any other', async () => {
  const store = newStore();
  await copyGraph(memory(all), store, plain(index));
  expect(all.map(({ digest }) => store.readBlob(digest))).toEqual(all.map(({ bytes }) => bytes));
});

test('bytes that are not what their descriptor says do not enter a store', async () => {
  const source = memory(all);
  source.content.set(base.digest, Buffer.from('BASE'));
  const store = newStore();
  await expect(copyGraph(source, store, plain(index))).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
  });
  expect(store.blobSize(index.digest)).toBeUndefined();
});
