import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { forgetRecords } from '../../src/cache/forget.ts';
import { cacheKey, recipe } from '../../src/cache/recipe.ts';
import { openRecords, RECORD_VERSION } from '../../src/cache/records.ts';
import { type DiffID, digestOf, hexOf } from '../../src/oci/digest.ts';

let home: string;
const store = { path: (...parts: string[]) => join(home, ...parts) };
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'forget-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const HOUR = 3600 * 1000;
const now = Date.now();

/** Puts a record that was used so many hours ago. */
function put(name: string, hours: number, layer: DiffID | null): string {
  const fields = recipe('run.v1', { args: [name] });
  const key = cacheKey(fields);
  openRecords(store).put({
    ...{ version: RECORD_VERSION, key, name, recipe: fields, layer },
    ...{ created: '2026-01-01T00:00:00Z', seconds: 1 },
  });
  const used = now / 1000 - hours * 3600;
  const file = store.path('cache', hexOf(key).slice(0, 2), `${hexOf(key).slice(2)}.json`);
  utimesSync(file, used, used);
  return file;
}

const layer = (name: string) => digestOf<DiffID>(name);
const names = () => [...openRecords(store).all()].map((record) => record.name).sort();
const ALL = { unusedSince: 0, sizeOf: () => 10 };

describe('records are forgotten', () => {
  it('when no build has asked for them since', () => {
    put('old', 30, layer('a'));
    put('young', 1, layer('b'));
    put('young-and-empty', 1, null);
    const kept = forgetRecords(openRecords(store), { ...ALL, unusedSince: now - 24 * HOUR });
    expect(names()).toEqual(['young', 'young-and-empty']);
    expect([...kept]).toEqual([layer('b')]);
  });

  it('when their layer is gone', () => {
    put('gone', 1, layer('a'));
    put('there', 1, layer('b'));
    const sizeOf = (diffID: DiffID) => (diffID === layer('a') ? undefined : 1);
    forgetRecords(openRecords(store), { ...ALL, sizeOf });
    expect(names()).toEqual(['there']);
  });

  it('from the oldest on until the rest is small enough, a shared layer counted once', () => {
    put('1', 1, layer('shared'));
    put('2', 2, layer('shared'));
    put('3', 3, layer('b'));
    put('4', 4, layer('c'));
    put('5', 5, null);
    const kept = forgetRecords(openRecords(store), { ...ALL, keepBytes: 20 });
    expect(names()).toEqual(['1', '2', '3']);
    expect([...kept]).toEqual([layer('shared'), layer('b')]);
  });

  it('all of them when asked to, with everything that lies around them', () => {
    const file = put('a', 0, layer('a'));
    writeFileSync(`${file}.cut`, '{"ver');
    writeFileSync(file.replace(/[^/]*$/, '.x.json.0f'), '');
    forgetRecords(openRecords(store), { ...ALL, unusedSince: Number.POSITIVE_INFINITY });
    const files = readdirSync(store.path('cache'), { recursive: true, withFileTypes: true });
    expect(files.filter((entry) => entry.isFile())).toEqual([]);
  });

  it('and what pointed to them with them, nothing else', () => {
    put('old', 30, layer('a'));
    put('young', 1, layer('b'));
    mkdirSync(store.path('cache/latest'), { recursive: true });
    writeFileSync(store.path('cache/latest/damaged'), 'sha256:');
    forgetRecords(openRecords(store), { ...ALL, unusedSince: now - 24 * HOUR });
    expect(openRecords(store).latest('old')).toBeUndefined();
    expect(openRecords(store).latest('young')).toBeDefined();
    expect(readdirSync(store.path('cache/latest'))).toHaveLength(1);
  });
});

it('asking for a record is a use of it', () => {
  put('old', 30, layer('a'));
  const [record] = openRecords(store).all();
  openRecords(store).get(record!.key);
  forgetRecords(openRecords(store), { ...ALL, unusedSince: now - 24 * HOUR });
  expect(names()).toEqual(['old']);
});
