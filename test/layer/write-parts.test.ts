import { once } from 'node:events';
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { inlineWorkers, type Workers } from '../../src/host/workers.ts';
import { fillPart, type TarPart } from '../../src/layer/fill-part.ts';
import type { LayerInput } from '../../src/layer/layer.ts';
import { writeLayer } from '../../src/layer/write.ts';
import { writeLayerParts } from '../../src/layer/write-parts.ts';
import type { FileNode } from '../../src/tree/file-tree.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { anyInputs, directoryOf, fileOf } from './tree-builder.ts';

const MIB = 1024 * 1024;
const { signal } = new AbortController();

interface WriteOptions {
  readonly consume?: boolean;
  readonly workers?: Workers;
  readonly signal?: AbortSignal;
}

const workers = inlineWorkers({ 'layer.fill': (part: TarPart) => fillPart(part) });

function write(inputs: readonly LayerInput[], options: WriteOptions = {}) {
  return writeLayerParts(inputs, { directory: tempDirectory(), workers, signal, ...options });
}

/** A file on this host that knows its sha256, as a COPY has it. */
function hostFile(bytes: Buffer, name = 'file'): FileNode {
  const file = join(tempDirectory(), name);
  writeFileSync(file, bytes);
  const size = bytes.length;
  const { ctimeNs: ctime } = statSync(file, { bigint: true });
  return fileOf('', { size, content: { file, offset: 0, size, ctime } });
}

/** Not zeros, and nowhere the same. */
function noise(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32LE(at + 1, at);
  return bytes;
}

test('a layer written in parts is byte for byte what one thread writes', async () => {
  await fc.assert(
    fc.asyncProperty(anyInputs, async (inputs) => {
      const alone = writeLayer(inputs, { directory: tempDirectory() });
      const parts = await write(inputs);
      expect(parts.diffID).toBe(alone.diffID);
      expect(readFileSync(parts.tar).equals(readFileSync(alone.tar))).toBe(true);
      expect(readFileSync(parts.index).length).toBe(readFileSync(alone.index).length);
    }),
    { numRuns: 50 },
  );
});

test.each([
  ['headers and contents that lie across parts', [MIB - 1500, MIB - 512, 3000, 700_000, 700_001]],
  ['contents of many parts', [9 * MIB + 1, 1]],
  ['contents that end with a part', [MIB - 512, MIB - 512, 2 * MIB]],
  ['more parts than there are buffers', Array.from({ length: 20 }, () => 600_000)],
])('%s are written as by one thread', async (_, sizes) => {
  const inputs = [
    { path: 'd', node: directoryOf() },
    ...sizes.map((size, n) => ({ path: `d/${n}`, node: hostFile(noise(size)) })),
  ];
  const alone = writeLayer(inputs, { directory: tempDirectory() });
  const parts = await write(inputs);
  expect(parts).toMatchObject({ diffID: alone.diffID, size: alone.size });
  expect(readFileSync(parts.tar).equals(readFileSync(alone.tar))).toBe(true);
});

test('long runs of zeros are holes, at the end of the tar too', async () => {
  const zeros = hostFile(Buffer.alloc(16 * MIB));
  const layer = await write([{ path: 'zeros', node: zeros }]);
  expect(statSync(layer.tar).size).toBe(layer.size);
  expect(statSync(layer.tar).blocks * 512).toBeLessThan(4 * MIB);
  expect(layer.diffID).toBe(
    writeLayer([{ path: 'zeros', node: zeros }], { directory: tempDirectory() }).diffID,
  );
});

test.each([1000, 5 * MIB])('a file of %d bytes that changes meanwhile fails it', async (size) => {
  const node = hostFile(noise(size));
  const { file } = node.content as { file: string };
  const before = statSync(file, { bigint: true }).ctimeNs;
  // Not a wait for time to pass: the change is made until the clock of the filesystem shows it.
  do {
    truncateSync(file, size - 1);
    truncateSync(file, size);
  } while (statSync(file, { bigint: true }).ctimeNs === before);
  await expect(write([{ path: 'dir/file', node }])).rejects.toMatchObject({
    code: 'CONTEXT',
    message: 'read dir/file: the file changed while it was read',
  });
});

test('a layer is the same when its files are removed as they are read; without being asked, none is', async () => {
  const sizes = [1, 0, 3000, 600_000, 600_000, 3 * MIB];
  const nodes = sizes.map((size) => hostFile(noise(size)));
  const inputs = nodes.map((node, n) => ({ path: `${n}`, node }));
  const isThere = ({ content }: FileNode) => existsSync((content as { file: string }).file);
  const kept = await write(inputs);
  expect(nodes.filter(isThere)).toHaveLength(sizes.length);
  const consumed = await write(inputs, { consume: true });
  expect(consumed.diffID).toBe(kept.diffID);
  // An empty file is not read.
  expect(nodes.filter(isThere).map(({ size }) => size)).toEqual([0]);
});

/** Which are told what to do with each part. */
function workersThat(run: (part: TarPart, signal: AbortSignal) => Promise<unknown>): Workers {
  return { ...workers, run: (_, part, options) => run(part as TarPart, options!.signal!) };
}

const untilAborted = async (signal: AbortSignal) => {
  if (!signal.aborted) await once(signal, 'abort');
  throw signal.reason;
};

const manyParts = () =>
  Array.from({ length: 9 }, (_, n) => ({ path: `${n}`, node: hostFile(noise(MIB)) }));

test.each<[string, (count: number) => boolean]>([
  ['none', () => false],
  ['the first', (count) => count === 1],
  ['every third', (count) => count % 3 === 0],
])(
  'of the parts that the worker does not get to, this thread sees to: it fills %s',
  async (_, isWorkers) => {
    const inputs = manyParts();
    let count = 0;
    const parts = await write(inputs, {
      workers: workersThat(async (part, signal) => {
        count += 1;
        if (isWorkers(count)) fillPart(part);
        else await untilAborted(signal);
      }),
    });
    const alone = writeLayer(inputs, { directory: tempDirectory() });
    expect(parts.diffID).toBe(alone.diffID);
    expect(readFileSync(parts.tar).equals(readFileSync(alone.tar))).toBe(true);
  },
);

test('a part that the worker gets to late is left alone', async () => {
  const inputs = manyParts();
  const late: TarPart[] = [];
  const parts = await write(inputs, {
    workers: workersThat(async (part, signal) => {
      late.push(part);
      await untilAborted(signal);
    }),
  });
  const before = readFileSync(parts.tar);
  for (const part of late) fillPart(part);
  expect(readFileSync(parts.tar).equals(before)).toBe(true);
});

test('of two parts that fail, the first is told of, whoever filled it', async () => {
  const inputs = manyParts();
  // It lies in the third part, and in the fourth.
  truncateSync((inputs[2]!.node.content as { file: string }).file, 1);
  let fail = () => {};
  const parts = write(inputs, {
    workers: workersThat(async (part, signal) => {
      if (part.start !== 2 * MIB) return untilAborted(signal);
      // In the middle of it, while this thread goes on.
      Atomics.store(new Int32Array(part.state), 0, 1);
      await new Promise<void>((resolve) => {
        fail = resolve;
      });
      throw new Error('what the worker says');
    }),
  });
  const failed = expect(parts).rejects.toThrow('what the worker says');
  await new Promise(setImmediate);
  fail();
  await failed;
});

test('it ends when it is aborted, with the reason of that', async () => {
  const controller = new AbortController();
  const parts = write(manyParts(), {
    signal: controller.signal,
    workers: workersThat((_, signal) => untilAborted(signal)),
  });
  controller.abort(new Error('enough'));
  await expect(parts).rejects.toThrow('enough');
});
