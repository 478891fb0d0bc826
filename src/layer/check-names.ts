/**
 * The last look at the names of an index before a kernel reads them with our privileges. Whoever made the index has
 * looked as well (entry-set.ts), but it came from a hostile tar.
 */
import { TsbuildError } from '../errors.ts';
import { displayName } from '../host/path-bytes.ts';
import { type Columns, KINDS, type Kind, pathOf, rawNameOf } from './columns.ts';
import { NAME_MAX, PATH_MAX } from './limits.ts';

/** @throws TsbuildError `ARCHIVE` for a path that Linux cannot hold, or that lies below what is not a directory. */
export function checkNames(columns: Columns): void {
  // Each with a slash before it, so that of the root is 0.
  const lengths = new Uint16Array(columns.count);
  for (let record = 0; record < columns.count; record += 1) {
    if (columns.childCount[record] !== 0 || record === 0) checkDirectory(columns, record);
    if (record === 0) continue;
    const length = lengths[columns.parent[record]!]! + 1 + columns.nameLength[record]!;
    if (columns.nameLength[record]! > NAME_MAX || length > PATH_MAX) {
      const start = displayName(pathOf(columns, record).slice(0, 100));
      throw new TsbuildError('ARCHIVE', `${start}… is longer than a path can be`);
    }
    lengths[record] = length;
    if (UNCLEAN.test(rawNameOf(columns, record))) {
      const path = JSON.stringify(pathOf(columns, record));
      throw new TsbuildError('ARCHIVE', `${path} is not a clean path`);
    }
  }
}

const UNCLEAN = /^\.{0,2}$|[\0/]/;
const DIRECTORIES: readonly Kind[] = ['directory', 'implicit'];

function checkDirectory(columns: Columns, record: number): void {
  if (DIRECTORIES.includes(KINDS[columns.kind[record]!]!)) return;
  const name = displayName(pathOf(columns, record)) || 'the root';
  throw new TsbuildError('ARCHIVE', `${name} is not a directory, but has entries below it`);
}
