/**
 * Cache records: key → what the step made. One small JSON file each, `cache/<2 hex>/<62 hex>.json`, written at once by
 * rename; a damaged one counts as absent. A record whose layer is gone from the store is no hit.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as v from 'valibot';
import { errnoOf, TsbuildError } from '../errors.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { type CacheKey, type DiffID, hexOf } from '../oci/digest.ts';
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
  /** RFC 3339: when the step ended. */
  readonly created: string;
  /** How long it took. */
  readonly seconds: number;
}

export interface CacheRecords {
  get(key: CacheKey): CacheRecord | undefined;
  put(record: CacheRecord): void;
  /** Every readable record; the order is not defined. */
  all(): Iterable<CacheRecord>;
}

const value = v.union([v.string(), v.array(v.string())]);
const schema = v.object({
  version: v.literal(RECORD_VERSION),
  key: v.string(),
  name: v.string(),
  recipe: v.array(v.tuple([v.string(), value])),
  layer: v.nullable(v.string()),
  created: v.string(),
  seconds: v.number(),
});

export function openRecords(store: Pick<Store, 'path'>): CacheRecords {
  const fileOf = (key: CacheKey) =>
    store.path('cache', hexOf(key).slice(0, 2), `${hexOf(key).slice(2)}.json`);
  return {
    get(key) {
      const record = readRecord(fileOf(key));
      return record?.key === key ? record : undefined;
    },
    put(record) {
      const file = fileOf(record.key);
      try {
        mkdirSync(dirname(file), { recursive: true });
        writeFileAtomic(file, JSON.stringify(record));
      } catch (cause) {
        const full = errnoOf(cause) === 'ENOSPC' || errnoOf(cause) === 'EDQUOT';
        throw new TsbuildError(full ? 'DISK_FULL' : 'STORE', `write cache record ${file}`, {
          cause,
        });
      }
    },
    *all() {
      for (const shard of listNames(store.path('cache'))) {
        for (const name of listNames(store.path('cache', shard))) {
          const record = name.endsWith('.json')
            ? readRecord(store.path('cache', shard, name))
            : undefined;
          if (record !== undefined) yield record;
        }
      }
    },
  };
}

function readRecord(file: string): CacheRecord | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw new TsbuildError('STORE', `read cache record ${file}`, { cause: error });
  }
  try {
    const parsed = v.safeParse(schema, JSON.parse(text));
    return parsed.success ? (parsed.output as unknown as CacheRecord) : undefined;
  } catch {
    // Not JSON: a machine that lost power while the file was young. The step runs again and replaces it.
    return undefined;
  }
}

function listNames(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return [];
    throw new TsbuildError('STORE', `list ${directory}`, { cause: error });
  }
}
