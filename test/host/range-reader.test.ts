import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { chunksOf, createGrowth, openRange } from '../../src/host/range-reader.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const all = (range: Parameters<typeof openRange>[0], chunkBytes: number) => {
  using reader = openRange(range);
  return [...chunksOf(reader, chunkBytes)].map(({ length }) => length);
};

test.each([
  [{ offset: 0, size: 10 }, 4, [4, 4, 2]],
  [{ offset: 3, size: 5 }, 100, [5]],
  [{ offset: 0, size: 0 }, 4, []],
  [{ offset: 8, size: 5 }, 4, [2]],
])('a range is read in chunks, as far as there is something: %j', (range, chunkBytes, sizes) => {
  const file = join(tempDirectory(), 'file');
  writeFileSync(file, '0123456789');
  expect(all({ file, ...range }, chunkBytes)).toEqual(sizes);
});

/** A thread that reads the range as it grows, and tells what it has read. */
function reader(input: { file: string; offset: number; size: number; growth: SharedArrayBuffer }) {
  const source = join(import.meta.dirname, '../../src/host/range-reader.ts');
  const thread = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     const { readFileSync } = require('node:fs');
     const strip = require('esbuild').transformSync(readFileSync(${JSON.stringify(source)}, 'utf8'),
       { loader: 'ts', format: 'cjs', target: 'node20' }).code;
     const module_ = { exports: {} };
     new Function('require', 'module', 'exports', strip)(require, module_, module_.exports);
     const { openRange, chunksOf } = module_.exports;
     for (const bytes of chunksOf(openRange(workerData, workerData.growth), 4))
       parentPort.postMessage(bytes.toString());
     parentPort.postMessage('the end');`,
    { eval: true, workerData: input },
  );
  onTestFinished(async () => void (await thread.terminate()));
  let text = '';
  thread.on('message', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}

test('a range of a file that grows is read up to what has been told, and then waited for', async () => {
  const file = join(tempDirectory(), 'file');
  writeFileSync(file, 'head 01');
  const growth = createGrowth();
  growth.grown(7);
  const seen = reader({ file, offset: 5, size: 10, growth: growth.shared });
  await expect.poll(seen).toBe('01');
  // In the file already, but nobody has said so.
  appendFileSync(file, '23456');
  growth.grown(10);
  await expect.poll(seen).toBe('01234');
  appendFileSync(file, '789 behind');
  growth.grown(22);
  await expect.poll(seen).toBe('0123456789the end');
});
