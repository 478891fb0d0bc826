import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createWorkers, inlineWorkers, type Workers } from '../../src/host/workers.ts';
import { compressLayer } from '../../src/layer/compress.ts';
import { readIndex } from '../../src/layer/index-file.ts';
import type { WrittenLayer } from '../../src/layer/layer.ts';
import { layerTasks } from '../../src/layer/tasks.ts';
import { writeLayer } from '../../src/layer/write.ts';
import { writeLayerParts } from '../../src/layer/write-parts.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { directoryOf, fileOf } from './tree-builder.ts';

/** The real entry of worker threads, bundled as it is shipped. */
const directory = mkdtempSync(join(tmpdir(), 'tsbuild-test-'));
const entry = join(directory, 'worker.mjs');
beforeAll(async () => {
  await build({
    entryPoints: [join(import.meta.dirname, '../../src/worker.ts')],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outfile: entry,
    external: ['koffi'],
    banner: {
      js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);",
    },
  });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const { signal } = new AbortController();
const inputs = [
  { path: 'dir', node: directoryOf({ mtime: 5_000_000_001n }) },
  {
    path: 'dir/a',
    node: fileOf(Buffer.alloc(2_000_000, 'some text '), { xattrs: { 'user.x': Buffer.of(0xff) } }),
  },
];

test.each<[string, () => Workers]>([
  ['in this thread', () => inlineWorkers(layerTasks)],
  ['in threads', () => createWorkers({ entry, size: 2 })],
])('layers are written, scanned, compressed and received by tasks: %s', async (_, open) => {
  const workers = open();
  onTestFinished(() => workers[Symbol.asyncDispose]());
  const layer = await writeLayerParts(inputs, { directory: tempDirectory(), workers, signal });
  expect(layer.diffID).toBe(writeLayer(inputs, { directory: tempDirectory() }).diffID);
  const index = (await workers.run('layer.scan', { layer, verify: true })) as Uint8Array;
  expect(index.length).toBe(readFileSync(layer.index).length);

  const source = join(tempDirectory(), 'layer.gz');
  const expected = await compressLayer({ layer, format: 'gzip', target: source }, { workers });
  const seen: unknown[] = [];
  const request = {
    source,
    compression: 'gzip',
    expected,
    diffID: layer.diffID,
    directory: tempDirectory(),
  };
  const received = (await workers.run('layer.receive', request, {
    onProgress: (current) => seen.push(current),
  })) as WrittenLayer;
  expect(seen.at(-1)).toBe(layer.size);
  expect(received).toMatchObject({ diffID: layer.diffID, size: layer.size });
  const { content: was, sha256, ...node } = nodeOf(layer);
  const { content, ...found } = nodeOf(received);
  expect(found).toEqual(node);
  expect(content).toEqual({ ...was, file: received.tar });
  expect(sha256).toHaveLength(64);

  const broken = { ...request, directory: tempDirectory(), diffID: `sha256:${'0'.repeat(64)}` };
  await expect(workers.run('layer.receive', broken)).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
  });
});

test('an index made by a scan is one that can be put beside the tar', () => {
  const layer = writeLayer(inputs, { directory: tempDirectory() });
  const moved = { ...layer, tar: join(tempDirectory(), 'moved.tar') };
  copyFileSync(layer.tar, moved.tar);
  expect(nodeOf(moved).content).toMatchObject({ file: moved.tar });
});

function nodeOf(layer: WrittenLayer) {
  const found = readIndex(layer).entries.get('dir/a')!;
  if (!('node' in found)) throw new Error('no node');
  return found.node;
}
