/**
 * Directories of EROFS. The entries of a block are an array of fixed structures, and after it their names without
 * terminators. Blocks hold as many entries as fit, ordered by the bytes of the names across the whole directory,
 * since the kernel finds a name by bisection: first the block, then the entry in it (fs/erofs/namei.c).
 */
import { TsbuildError } from '../errors.ts';
import { displayName } from '../host/path-bytes.ts';
import { type Columns, KINDS, type Kind, pathOf, rawNameOf } from './columns.ts';
import { BLOCK_SIZE, DIRENT_SIZE, type Image } from './erofs-format.ts';

/** What a directory lists, `.` and `..` among it, in order. */
export interface Dirents {
  /** A character is a byte. */
  readonly names: readonly string[];
  readonly records: readonly number[];
}

/** EROFS_FT_*, which are the kernel's FT_*. */
const TYPES: Readonly<Record<Kind, number>> = {
  file: 1,
  directory: 2,
  implicit: 2,
  char: 3,
  whiteout: 3,
  block: 4,
  fifo: 5,
  symlink: 7,
};

/** @throws TsbuildError `ARCHIVE` for a name that is there twice. */
export function listDirents(columns: Columns, directory: number): Dirents {
  const names = ['.', '..'];
  const records = [directory, columns.parent[directory]!];
  const start = columns.firstChild[directory]!;
  const end = start + columns.childCount[directory]!;
  for (let record = start; record < end; record += 1) {
    names.push(rawNameOf(columns, record));
    records.push(record);
  }
  if (isAscending(names)) return { names, records };
  // An index has the order of strings, and knows of no dots.
  const order = [...names.keys()].sort((a, b) => (names[a]! < names[b]! ? -1 : 1));
  const sorted = order.map((at) => names[at]!);
  if (!isAscending(sorted)) throw twice(columns, directory);
  return { names: sorted, records: order.map((at) => records[at]!) };
}

function isAscending(names: readonly string[]): boolean {
  for (let at = 1; at < names.length; at += 1) if (names[at - 1]! >= names[at]!) return false;
  return true;
}

function twice(columns: Columns, directory: number): TsbuildError {
  const name = displayName(pathOf(columns, directory)) || 'the root';
  return new TsbuildError('ARCHIVE', `${name} has two entries of one name`);
}

/** Bytes of the directory: all blocks but the last one count in full. */
export function direntsSize({ names }: Dirents): number {
  let blocks = 0;
  let used = 0;
  for (const name of names) {
    if (used + DIRENT_SIZE + name.length > BLOCK_SIZE) {
      blocks += 1;
      used = 0;
    }
    used += DIRENT_SIZE + name.length;
  }
  return blocks * BLOCK_SIZE + used;
}

/** Names of the directory: in its parent, its own `.`, and the `..` of each directory in it. */
export function linksOfDirectory({ records }: Dirents, columns: Columns): number {
  let links = 0;
  for (const record of records) if (typeOf(columns, record) === TYPES.directory) links += 1;
  return links;
}

/** Writes the directory at `offset`, into zeros; `nids` are the numbers of the records' inodes. */
export function writeDirents(
  { bytes, fields }: Image,
  offset: number,
  { names, records }: Dirents,
  { columns, nids }: { readonly columns: Columns; readonly nids: Uint32Array },
): void {
  let block = offset;
  for (let from = 0; from < names.length; block += BLOCK_SIZE) {
    const to = blockEnd(names, from);
    let name = (to - from) * DIRENT_SIZE;
    for (let at = from; at < to; at += 1) {
      const position = block + (at - from) * DIRENT_SIZE;
      fields.setUint32(position, nids[records[at]!]!, true); // nid
      fields.setUint16(position + 8, name, true); // nameoff
      fields.setUint8(position + 10, typeOf(columns, records[at]!)); // file_type
      name += bytes.write(names[at]!, block + name, 'latin1');
    }
    from = to;
  }
}

/** The first entry that does not fit in a block with that at `from`. A name of 255 bytes fits, so it is a later one. */
function blockEnd(names: readonly string[], from: number): number {
  let used = 0;
  let at = from;
  for (; at < names.length; at += 1) {
    used += DIRENT_SIZE + names[at]!.length;
    if (used > BLOCK_SIZE) break;
  }
  return at;
}

function typeOf(columns: Columns, record: number): number {
  return TYPES[KINDS[columns.kind[record]!]!];
}
