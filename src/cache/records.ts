/**
 * Cache records: key → what the step made. One small JSON file each, `cache/<2 hex>/<62 hex>.json`, written at once by
 * rename; a damaged one counts as absent. A record whose layer is gone from the store is no hit.
 *
 * A record's file is as old as its last use, to the hour: that is what `prune` goes by.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf, TsbuildError } from '../errors.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { diskError } from '../host/disk-error.ts';
import {
  type CacheKey,
  type DiffID,
  digestOf,
  hexOf,
  isDigest,
  parseDigest,
} from '../oci/digest.ts';
import type { Store } from '../store/store.ts';
import type { Recipe } from './recipe.ts';

export const RECORD_VERSION = 1;

export interface CacheRecord {
  readonly version: typeof RECORD_VERSION;
  readonly key: CacheKey;
  /** Shown to people, and used to find the nearest record: `RUN make`. */
  readonly name: string;
  readonly recipe: Recipe;
  /** `null` when the step changed nothing. */
  readonly layer: DiffID | null;
  /** Bytes of the layer's tar. Older records do not have it. */
  readonly size?: number;
  /** RFC 3339: when the step ended. */
  readonly created: string;
  /** How long it took. */
  readonly seconds: number;
}

export interface CacheRecords {
  get(key: CacheKey): CacheRecord | undefined;
  /** The record put last under a step's name: what a miss is compared with. */
  latest(name: string): CacheRecord | undefined;
  put(record: CacheRecord): void;
  /** Every readable record; the order is not defined. */
  all(): Iterable<CacheRecord>;
}

/** Records as files, for who frees space. */
export interface StoredRecords extends CacheRecords {
  /** Every file where records are, and what only points to a record that is gone. */
  files(): Iterable<RecordFile>;
}

export interface RecordFile {
  /** `undefined` if nobody can make sense of the file. */
  readonly record: CacheRecord | undefined;
  /** Milliseconds since 1970: when a build last asked for it, or made it. */
  readonly used: number;
  remove(): void;
}

const HOUR = 3600 * 1000;

/** Beside the shards of two hex digits: the key that a step of this name had last. */
const LATEST = 'latest';

export function openRecords(store: Pick<Store, 'path'>): StoredRecords {
  const root = store.path('cache');
  const fileOf = (key: CacheKey) => {
    const hex = hexOf(key);
    return `${root}/${hex.slice(0, 2)}/${hex.slice(2)}.json`;
  };
  const latestOf = (name: string) =>
    store.path('cache', LATEST, hexOf(digestOf(name)).slice(0, 32));
  const get = (key: CacheKey) => {
    const record = readRecord(fileOf(key));
    return record?.key === key ? record : undefined;
  };
  return {
    get(key) {
      const file = fileOf(key);
      const record = readRecord(file);
      if (record?.key !== key) return undefined;
      // A file is no older than what it says.
      if (Date.now() - Date.parse(record.created) > HOUR) touch(file);
      return record;
    },
    latest(name) {
      const key = readIfThere(latestOf(name));
      return key !== undefined && isDigest(key) ? get(parseDigest<CacheKey>(key)) : undefined;
    },
    put(record) {
      writeRecord(fileOf(record.key), JSON.stringify(record));
      writeRecord(latestOf(record.name), record.key);
    },
    *all() {
      for (const { record } of recordFiles(store)) if (record !== undefined) yield record;
    },
    *files() {
      yield* recordFiles(store);
      for (const { file, text } of textFiles(store, LATEST)) {
        const isUseful = isDigest(text) && get(parseDigest<CacheKey>(text)) !== undefined;
        if (!isUseful) yield { record: undefined, used: 0, remove: () => removeFile(file) };
      }
    },
  };
}

function* recordFiles(store: Pick<Store, 'path'>): Generator<RecordFile> {
  for (const shard of listNames(store.path('cache'))) {
    if (shard === LATEST) continue;
    for (const { file, text } of textFiles(store, shard)) {
      yield {
        // What a process that was killed left of a record does not end like this.
        record: file.endsWith('.json') ? parseRecord(text) : undefined,
        used: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0,
        remove: () => removeFile(file),
      };
    }
  }
}

function* textFiles(
  store: Pick<Store, 'path'>,
  directory: string,
): Generator<{ readonly file: string; readonly text: string }> {
  for (const name of listNames(store.path('cache', directory))) {
    const file = store.path('cache', directory, name);
    yield { file, text: readIfThere(file) ?? '' };
  }
}

/** Not with every use: a build in which nothing changed shall not write. */
function touch(file: string): void {
  try {
    const now = Date.now();
    if (now - statSync(file).mtimeMs > HOUR) utimesSync(file, now / 1000, now / 1000);
  } catch {
    // In a store that may only be read, records just seem older than they are.
  }
}

function removeFile(file: string): void {
  try {
    rmSync(file, { force: true });
  } catch (error) {
    throw diskError(error, `remove cache record ${file}`);
  }
}

function writeRecord(file: string, text: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileAtomic(file, text);
  } catch (cause) {
    throw diskError(cause, `write cache record ${file}`);
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw new TsbuildError('STORE', `read cache record ${file}`, { cause: error });
  }
}

function readRecord(file: string): CacheRecord | undefined {
  const text = readIfThere(file);
  return text === undefined ? undefined : parseRecord(text);
}

function parseRecord(text: string): CacheRecord | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    // Not JSON: a machine that lost power while the file was young. The step runs again and replaces it.
    return undefined;
  }
}

/** By hand, not by a schema: one is read for each step of a build, by code that has not run before. */
function isRecord(value: unknown): value is CacheRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { version, key, name, recipe, layer, size, created, seconds } = value as CacheRecord;
  return (
    version === RECORD_VERSION &&
    typeof key === 'string' &&
    typeof name === 'string' &&
    Array.isArray(recipe) &&
    recipe.every(isField) &&
    (layer === null || typeof layer === 'string') &&
    (size === undefined || typeof size === 'number') &&
    typeof created === 'string' &&
    typeof seconds === 'number'
  );
}

function isField(field: unknown): boolean {
  if (!Array.isArray(field) || field.length !== 2) return false;
  const name: unknown = field[0];
  const value: unknown = field[1];
  return typeof name === 'string' && (typeof value === 'string' || isTexts(value));
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

function listNames(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw new TsbuildError('STORE', `list ${directory}`, { cause: error });
  }
}
