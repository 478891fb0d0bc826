import { createHash } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hashRanges } from '../src/context/hash-files.ts';
import { inlineWorkers } from '../src/host/workers.ts';
import { fillPart, type TarPart } from '../src/layer/fill-part.ts';
import { readIndex } from '../src/layer/index-file.ts';
import type { Layer, LayerInput } from '../src/layer/layer.ts';
import { openStore } from '../src/store/store.ts';
import { storeLayer } from '../src/store-layer.ts';
import { tempDirectory } from './helpers/temp-directory.ts';
import { fileOf } from './layer/tree-builder.ts';

const workers = inlineWorkers({
  'layer.fill': (part: TarPart) => fillPart(part),
  'context.hash': hashRanges as never,
});

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

/** A file of which a node says what it was, whatever it is now. */
function rememberedFile(text: string) {
  const file = join(tempDirectory(), 'file');
  writeFileSync(file, text);
  const size = text.length;
  const node = fileOf('', { size, sha256: sha256(text), content: { file, offset: 0, size } });
  return { file, inputs: (): LayerInput[] => [{ path: 'file', node: { ...node } }] };
}

function openWriter() {
  const store = openStore(tempDirectory());
  return (inputs: LayerInput[], before?: { layer: Layer; mustRead: boolean }) =>
    storeLayer(inputs, {
      ...{ store, before, workers: async () => workers },
      signal: new AbortController().signal,
    });
}

const hashIn = (layer: Layer) => {
  const entry = readIndex(layer).entries.get('file');
  return entry && 'node' in entry && entry.node.sha256;
};

// The second is written in parts.
test.each([['text'], ['t'.repeat(5 * 1024 * 1024)]])(
  'a layer that was made before is given again while what is known of its files is true',
  async (text) => {
    const write = openWriter();
    const { file, inputs } = rememberedFile(text);
    const layer = await write(inputs());
    expect(await write(inputs(), { layer, mustRead: true })).toBe(layer);
    const other = text.toUpperCase();
    writeFileSync(file, other);
    // Nobody has asked whether it is.
    expect(await write(inputs(), { layer, mustRead: false })).toBe(layer);
    const read = await write(inputs(), { layer, mustRead: true });
    expect(read.diffID).not.toBe(layer.diffID);
    expect([hashIn(layer), hashIn(read)]).toEqual([text, other].map(sha256));
  },
);

test('a file that cannot be read is told of as if there had been no layer', async () => {
  const write = openWriter();
  const { file, inputs } = rememberedFile('text');
  const layer = await write(inputs());
  rmSync(file);
  await expect(write(inputs(), { layer, mustRead: true })).rejects.toMatchObject({
    code: 'CONTEXT',
    message: expect.stringMatching(/^read file: ENOENT/),
  });
});

test('another layer is no help', async () => {
  const write = openWriter();
  const [one, two] = [rememberedFile('one'), rememberedFile('two')];
  const layer = await write(one.inputs());
  const other = await write(two.inputs(), { layer, mustRead: false });
  expect([hashIn(layer), hashIn(other)]).toEqual(['one', 'two'].map(sha256));
});
