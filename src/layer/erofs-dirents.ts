/**
 * Directories of EROFS. The entries of a block are an array of fixed structures, and after it their names without
 * terminators. Blocks hold as many entries as fit, ordered by the bytes of the names across the whole directory,
 * since the kernel finds a name by bisection: first the block, then the entry in it (fs/erofs/namei.c).
 */
import { TsbuildError } from '../errors.ts';
import { displayName } from '../host/path-bytes.ts';
import { type Columns, KINDS, type Kind, pathOf } from './columns.ts';
import { BLOCK_SIZE, DIRENT_SIZE, type Image } from './erofs-format.ts';

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

/** What a directory lists: records, `.` and `..` among them, in the order of the names' bytes. */
export interface Dirents {
  readonly columns: Columns;
  readonly directory: number;
  readonly records: readonly number[];
}

/** `.` and `..` as records: so many dots below zero. */
const DOT = -1;
const DOT_DOT = -2;
const DOT_BYTE = 0x2e;

/**
 * An index has names in the order of strings, which is another one for some characters only.
 * @throws TsbuildError `ARCHIVE` for a name that is there twice.
 */
export function listDirents(columns: Columns, directory: number): Dirents {
  const records = [DOT, DOT_DOT];
  const start = columns.firstChild[directory]!;
  const end = start + columns.childCount[directory]!;
  for (let record = start; record < end; record += 1) records.push(record);
  if (!isAscending(columns, records)) {
    records.sort((a, b) => compareNames(columns, a, b));
    if (!isAscending(columns, records)) throw twice(columns, directory);
  }
  return { columns, directory, records };
}

function twice(columns: Columns, directory: number): TsbuildError {
  const name = displayName(pathOf(columns, directory)) || 'the root';
  return new TsbuildError('ARCHIVE', `${name} has two entries of one name`);
}

/** Bytes of the directory: all blocks but the last one count in full. */
export function direntsSize({ columns, records }: Dirents): number {
  let blocks = 0;
  let used = 0;
  for (const record of records) {
    const size = DIRENT_SIZE + lengthOf(columns, record);
    if (used + size > BLOCK_SIZE) {
      blocks += 1;
      used = 0;
    }
    used += size;
  }
  return blocks * BLOCK_SIZE + used;
}

/** Names of the directory: in its parent, its own `.`, and the `..` of each directory in it. */
export function linksOfDirectory(dirents: Dirents): number {
  let links = 0;
  for (const record of dirents.records) if (typeOf(dirents, record) === TYPES.directory) links += 1;
  return links;
}

/** Writes the directory at `offset`, into zeros; `nids` are the numbers of the records' inodes. */
export function writeDirents(image: Image, offset: number, dirents: Dirents, nids: Uint32Array) {
  const { columns, records } = dirents;
  let block = offset;
  for (let from = 0; from < records.length; block += BLOCK_SIZE) {
    const to = blockEnd(dirents, from);
    let name = (to - from) * DIRENT_SIZE;
    for (let at = from; at < to; at += 1) {
      const record = records[at]!;
      const position = block + (at - from) * DIRENT_SIZE;
      image.fields.setUint32(position, nids[meantBy(dirents, record)]!, true);
      image.fields.setUint16(position + 8, name, true); // nameoff
      image.fields.setUint8(position + 10, typeOf(dirents, record)); // file_type
      name += writeName(image, block + name, columns, record);
    }
    from = to;
  }
}

/** The first entry that does not fit in a block with that at `from`. A name of 255 bytes fits, so it is a later one. */
function blockEnd({ columns, records }: Dirents, from: number): number {
  let used = 0;
  let at = from;
  for (; at < records.length; at += 1) {
    used += DIRENT_SIZE + lengthOf(columns, records[at]!);
    if (used > BLOCK_SIZE) break;
  }
  return at;
}

/** Names are short: a call to copy one takes longer. */
function writeName({ bytes }: Image, offset: number, columns: Columns, record: number): number {
  const length = lengthOf(columns, record);
  for (let at = 0; at < length; at += 1) bytes[offset + at] = byteOf(columns, record, at);
  return length;
}

function typeOf(dirents: Dirents, record: number): number {
  return TYPES[KINDS[dirents.columns.kind[meantBy(dirents, record)]!]!];
}

function meantBy({ columns, directory }: Dirents, record: number): number {
  if (record === DOT) return directory;
  return record === DOT_DOT ? columns.parent[directory]! : record;
}

function isAscending(columns: Columns, records: readonly number[]): boolean {
  for (let at = 1; at < records.length; at += 1) {
    if (compareNames(columns, records[at - 1]!, records[at]!) >= 0) return false;
  }
  return true;
}

function compareNames(columns: Columns, a: number, b: number): number {
  const shorter = Math.min(lengthOf(columns, a), lengthOf(columns, b));
  for (let at = 0; at < shorter; at += 1) {
    const difference = byteOf(columns, a, at) - byteOf(columns, b, at);
    if (difference !== 0) return difference;
  }
  return lengthOf(columns, a) - lengthOf(columns, b);
}

function lengthOf({ nameLength }: Columns, record: number): number {
  return record < 0 ? -record : nameLength[record]!;
}

function byteOf({ pool, nameAt }: Columns, record: number, at: number): number {
  return record < 0 ? DOT_BYTE : pool[nameAt[record]! + at]!;
}
