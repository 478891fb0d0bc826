/** Which records the cache forgets when space is to be freed. */
import type { DiffID } from '../oci/digest.ts';
import type { RecordFile, StoredRecords } from './records.ts';

export interface ForgetOptions {
  /** Milliseconds since 1970: what was not used since then goes. */
  readonly unusedSince: number;
  /** Bytes of layers that the records may keep: those used last stay. */
  readonly keepBytes?: number;
  /** Bytes that the store would free without the layer; `undefined` for one that it does not have. */
  readonly sizeOf: (layer: DiffID) => number | undefined;
}

/**
 * Removes records, and returns the layers of those that stay. A record that cannot be read, or whose layer is gone, helps
 * nobody. Who calls it holds the store for itself.
 */
export function forgetRecords(records: StoredRecords, options: ForgetOptions): Set<DiffID> {
  const kept = new Set<DiffID>();
  let room = options.keepBytes ?? Number.POSITIVE_INFINITY;
  for (const file of [...records.files()].sort((a, b) => b.used - a.used)) {
    const size = neededBytes(file, kept, options);
    if (size !== undefined) room -= size;
    // Once there is no room, nothing older is kept either: what a record builds upon was used with it.
    if (size === undefined || room < 0) file.remove();
    else if (file.record?.layer) kept.add(file.record.layer);
  }
  // Of the rest, what pointed to a record that has gone just now.
  for (const file of records.files()) if (file.record === undefined) file.remove();
  return kept;
}

/** Bytes that keeping the record costs; `undefined` if it is not to be kept. */
function neededBytes(
  { record, used }: RecordFile,
  kept: ReadonlySet<DiffID>,
  { unusedSince, sizeOf }: ForgetOptions,
): number | undefined {
  if (record === undefined || used < unusedSince) return undefined;
  if (record.layer === null || kept.has(record.layer)) return 0;
  return sizeOf(record.layer);
}
