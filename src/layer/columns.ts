/**
 * The layout of an index file, version 2: a header of 32 bytes, columns of fixed-width fields (one element for each
 * record), a pool of names and rarer fields, and the sha256 of all that. The columns are read in place as typed arrays,
 * in the machine's own byte order, so loading 500,000 records costs a read and a hash; a file from a machine of the
 * other order has the wrong magic, which makes it damaged, which makes it be built again.
 *
 * Records are the layer's paths as a tree, breadth first: record 0 is the root, and the names of one directory are
 * consecutive and sorted. A path is looked up by a binary search for each of its components.
 */
import { createHash } from 'node:crypto';
import { decodeName } from '../host/path-bytes.ts';
import { joinPath } from '../tree/file-tree.ts';

export const INDEX_VERSION = 2;
const MAGIC = 0x58425354;
export const HEADER_BYTES = 32;
export const HASH_BYTES = 32;

/** Values of the `kind` column; `whiteout` and `implicit` beside the types of files. */
export const KINDS = [
  'file',
  'directory',
  'symlink',
  'char',
  'block',
  'fifo',
  'whiteout',
  'implicit',
] as const;
export type Kind = (typeof KINDS)[number];

export const OPAQUE_FLAG = 1;
export const HASHED_FLAG = 2;
/** In `order`: not in the tar. */
export const NO_ORDER = 0xffff_ffff;

export interface Columns {
  readonly count: number;
  readonly size: Float64Array;
  /** Of a file's content in the tar. */
  readonly offset: Float64Array;
  readonly mtime: BigInt64Array;
  readonly uid: Uint32Array;
  readonly gid: Uint32Array;
  /** Hard links of each other have the same number, which is not 0. */
  readonly inode: Uint32Array;
  /** Position among the tar's entries. */
  readonly order: Uint32Array;
  readonly parent: Uint32Array;
  readonly firstChild: Uint32Array;
  readonly childCount: Uint32Array;
  readonly nameAt: Uint32Array;
  /** Position in the pool of link target, device and xattrs; 0 if there are none. */
  readonly extraAt: Uint32Array;
  readonly mode: Uint16Array;
  readonly nameLength: Uint16Array;
  readonly kind: Uint8Array;
  readonly flags: Uint8Array;
  readonly sha256: Buffer;
  readonly pool: Buffer;
  /** The whole file. */
  readonly bytes: Buffer;
}

export interface IndexHeader {
  /** Records. */
  readonly count: number;
  /** Records of whiteouts, and of directories that the tar does not list; the root left out. */
  readonly marks: number;
  /** Bytes. */
  readonly pool: number;
  /** Bytes of the tar. */
  readonly tar: number;
}

/** An empty file for so many records and a pool of so many bytes. */
export function allocateColumns({ count, marks, pool, tar }: IndexHeader): Columns {
  const total = poolStart(count) + pool + HASH_BYTES;
  const bytes = Buffer.from(new ArrayBuffer(total));
  new Uint32Array(bytes.buffer, 0, 4).set([MAGIC, INDEX_VERSION, count, pool]);
  new Float64Array(bytes.buffer, 16, 1)[0] = tar;
  new Uint32Array(bytes.buffer, 24, 1)[0] = marks;
  return viewColumns(bytes, count);
}

/** What the first bytes of a file say; `undefined` if it is of another version. */
export function readHeader(bytes: Buffer): IndexHeader | undefined {
  if (bytes.length < HEADER_BYTES || bytes.byteOffset % 8 !== 0) return undefined;
  const [magic, version, count, pool] = new Uint32Array(bytes.buffer, bytes.byteOffset, 4);
  if (magic !== MAGIC || version !== INDEX_VERSION) return undefined;
  const tar = new Float64Array(bytes.buffer, bytes.byteOffset + 16, 1)[0]!;
  const marks = new Uint32Array(bytes.buffer, bytes.byteOffset + 24, 1)[0]!;
  return { count: count!, marks, pool: pool!, tar };
}

/** The columns of a file; `undefined` if it is damaged, or not of this version or this tar. */
export function openColumns(bytes: Buffer, tarSize: number): Columns | undefined {
  const header = readHeader(bytes);
  if (header === undefined || header.tar !== tarSize) return undefined;
  if (poolStart(header.count) + header.pool + HASH_BYTES !== bytes.length) return undefined;
  const body = bytes.subarray(0, bytes.length - HASH_BYTES);
  const isWhole = createHash('sha256').update(body).digest().equals(bytes.subarray(body.length));
  return isWhole ? viewColumns(bytes, header.count) : undefined;
}

export function nameOf({ pool, nameAt, nameLength }: Columns, record: number): string {
  const start = nameAt[record]!;
  return decodeName(pool.subarray(start, start + nameLength[record]!));
}

/** Its bytes, each a character. */
export function rawNameOf({ pool, nameAt, nameLength }: Columns, record: number): string {
  const start = nameAt[record]!;
  return pool.toString('latin1', start, start + nameLength[record]!);
}

export function pathOf(columns: Columns, record: number): string {
  if (record === 0) return '';
  return joinPath(pathOf(columns, columns.parent[record]!), nameOf(columns, record));
}

/** Bytes of all columns of one record. */
const RECORD_BYTES = 3 * 8 + 9 * 4 + 2 * 2 + 2 + 32;

function poolStart(count: number): number {
  return HEADER_BYTES + count * RECORD_BYTES;
}

/** Widest columns first: so each begins where its type may, for any count. */
function viewColumns(bytes: Buffer, count: number): Columns {
  const { buffer } = bytes;
  let at = bytes.byteOffset + HEADER_BYTES;
  const take = (width: number): number => {
    at += width * count;
    return at - width * count;
  };
  return {
    count,
    size: new Float64Array(buffer, take(8), count),
    offset: new Float64Array(buffer, take(8), count),
    mtime: new BigInt64Array(buffer, take(8), count),
    uid: new Uint32Array(buffer, take(4), count),
    gid: new Uint32Array(buffer, take(4), count),
    inode: new Uint32Array(buffer, take(4), count),
    order: new Uint32Array(buffer, take(4), count),
    parent: new Uint32Array(buffer, take(4), count),
    firstChild: new Uint32Array(buffer, take(4), count),
    childCount: new Uint32Array(buffer, take(4), count),
    nameAt: new Uint32Array(buffer, take(4), count),
    extraAt: new Uint32Array(buffer, take(4), count),
    mode: new Uint16Array(buffer, take(2), count),
    nameLength: new Uint16Array(buffer, take(2), count),
    kind: new Uint8Array(buffer, take(1), count),
    flags: new Uint8Array(buffer, take(1), count),
    sha256: Buffer.from(buffer, take(32), 32 * count),
    pool: bytes.subarray(at - bytes.byteOffset, bytes.length - HASH_BYTES),
    bytes,
  };
}
