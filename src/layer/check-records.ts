/**
 * The last look at an index before a kernel reads it with our privileges. Whoever made it has looked as well
 * (entry-set.ts), but it came from a hostile tar.
 */
import { TsbuildError } from '../errors.ts';
import { displayName } from '../host/path-bytes.ts';
import { type Columns, KINDS, pathOf, rawNameOf } from './columns.ts';
import { extraOf } from './index-extra.ts';
import { impossibleExtra, impossibleNumber, NAME_MAX, PATH_MAX } from './limits.ts';

/**
 * @throws TsbuildError `ARCHIVE` for a path that Linux cannot hold, or that lies below what is not a directory, and for
 * numbers that the kernel would cut short.
 */
export function checkRecords(columns: Columns): void {
  // Of paths with a slash before them, so that of the root is 0.
  const lengths = new Uint16Array(columns.count);
  for (let record = 0; record < columns.count; record += 1) {
    const length = lengths[columns.parent[record]!]! + 1 + columns.nameLength[record]!;
    const problem =
      (record > 0 && problemOfName(columns, record, length)) || problemOfNode(columns, record);
    if (problem) throw refused(columns, record, problem);
    if (record > 0) lengths[record] = length;
  }
}

function problemOfName(columns: Columns, record: number, pathLength: number): string | undefined {
  if (columns.nameLength[record]! > NAME_MAX || pathLength > PATH_MAX)
    return 'is longer than a path can be';
  return UNCLEAN.test(rawNameOf(columns, record)) ? 'is not a clean path' : undefined;
}

const UNCLEAN = /^\.{0,2}$|[\0/]/;

function problemOfNode(columns: Columns, record: number): string | undefined {
  const kind = KINDS[columns.kind[record]!]!;
  const isDirectory = kind === 'directory' || kind === 'implicit';
  if (!isDirectory && (record === 0 || columns.childCount[record] !== 0))
    return 'is not a directory, but has entries below it';
  const { uid, gid, size } = columns;
  const impossible =
    impossibleNumber(uid[record]!, gid[record]!, size[record]!) ??
    impossibleExtra(extraOf(columns, record), kind === 'symlink');
  return impossible && `has an impossible ${impossible}`;
}

function refused(columns: Columns, record: number, problem: string): TsbuildError {
  const path = displayName(pathOf(columns, record));
  const name = path.length > 100 ? `${path.slice(0, 100)}…` : JSON.stringify(path);
  return new TsbuildError('ARCHIVE', `${record === 0 ? 'the root' : name} ${problem}`);
}
