import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cacheKey, recipe } from '../../src/cache/recipe.ts';
import { type CacheRecord, openRecords, RECORD_VERSION } from '../../src/cache/records.ts';
import { hexOf } from '../../src/oci/digest.ts';

let home: string;
const store = { path: (...parts: string[]) => join(home, ...parts) };
const fields = recipe('run.v1', { args: ['true'] });
const record: CacheRecord = {
  version: RECORD_VERSION,
  key: cacheKey(fields),
  name: 'RUN true',
  recipe: fields,
  layer: null,
  created: '2026-01-01T00:00:00Z',
  seconds: 0.1,
};
const file = () =>
  join(home, 'cache', hexOf(record.key).slice(0, 2), `${hexOf(record.key).slice(2)}.json`);

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'records-'));
});
afterEach(() => rmSync(home, { recursive: true }));

describe('cache records', () => {
  it('come back as they were put, recipe included', () => {
    openRecords(store).put(record);
    expect(openRecords(store).get(record.key)).toEqual(record);
    expect([...openRecords(store).all()]).toEqual([record]);
  });

  it('are found by the name of their step, the one put last', () => {
    const records = openRecords(store);
    const later = recipe('run.v1', { args: ['false'] });
    records.put(record);
    records.put({ ...record, key: cacheKey(later), recipe: later });
    expect(records.latest('RUN true')?.recipe).toEqual(later);
    expect(records.latest('RUN other')).toBeUndefined();
    expect([...records.all()]).toHaveLength(2);
  });

  it('are absent in a store that has no cache yet', () => {
    expect(openRecords(store).get(record.key)).toBeUndefined();
    expect([...openRecords(store).all()]).toEqual([]);
  });

  it.each([
    ['empty', ''],
    ['cut off', JSON.stringify(record).slice(0, 40)],
    ['of another version', JSON.stringify({ ...record, version: 99 })],
    ['no object', 'null'],
    ['without a recipe', JSON.stringify({ ...record, recipe: undefined })],
    ['of a recipe with a number', JSON.stringify({ ...record, recipe: [['args', [1]]] })],
    ['of a recipe of pairs and more', JSON.stringify({ ...record, recipe: [['a', 'b', 'c']] })],
    ['of a layer that is a number', JSON.stringify({ ...record, layer: 1 })],
    ['of a size that is a text', JSON.stringify({ ...record, size: '1' })],
    [
      'of another key',
      JSON.stringify({ ...record, key: cacheKey(recipe('run.v1', { args: ['false'] })) }),
    ],
  ])('that are %s count as absent', (_, text) => {
    mkdirSync(dirname(file()), { recursive: true });
    writeFileSync(file(), text);
    expect(openRecords(store).get(record.key)).toBeUndefined();
  });

  it('fail clearly when the store cannot be written', () => {
    writeFileSync(join(home, 'cache'), 'a file');
    expect(() => openRecords(store).put(record)).toThrow(
      expect.objectContaining({ code: 'STORE' }),
    );
  });
});
