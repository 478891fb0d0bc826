import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { adoptLayer, layerAt } from '../../src/layer/adopt.ts';
import { readIndex } from '../../src/layer/index-file.ts';
import { writeLayer } from '../../src/layer/write.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { openStore } from '../../src/store/store.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { fileOf } from './tree-builder.ts';

const inputs = [{ path: 'a', node: fileOf('hello') }];

function writeInto(store: ReturnType<typeof openStore>) {
  return writeLayer(inputs, { directory: store.tempDir() });
}

describe('a store', () => {
  test('takes in a layer and finds it by its diffID', () => {
    const store = openStore(join(tempDirectory(), 'home'));
    const written = writeInto(store);
    expect(layerAt(store, written.diffID)).toBeUndefined();
    const layer = adoptLayer(store, written);
    expect(layerAt(store, written.diffID)).toEqual(layer);
    expect(digestOf(readFileSync(layer.tar))).toBe(layer.diffID);
    expect(existsSync(layer.index)).toBe(true);
    expect(readIndex(layer).entries.get('a')).toMatchObject({
      node: { content: { file: layer.tar } },
    });
  });

  test('takes the same layer again', () => {
    const store = openStore(join(tempDirectory(), 'home'));
    const layer = adoptLayer(store, writeInto(store));
    const again = writeInto(store);
    expect(adoptLayer(store, again)).toEqual(layer);
    expect(existsSync(again.tar)).toBe(false);
    expect(readIndex(layer).entries.size).toBe(1);
  });

  test('finds a layer without an index, which is made when it is read', () => {
    const store = openStore(join(tempDirectory(), 'home'));
    const layer = adoptLayer(store, writeInto(store));
    rmSync(layer.index);
    const found = layerAt(store, layer.diffID)!;
    expect(readIndex(found).entries.size).toBe(1);
    expect(existsSync(layer.index)).toBe(true);
  });
});
