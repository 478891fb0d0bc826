/** Makes an index file of a layer's entries. The layout is in columns.ts, the way back in index-file.ts. */
import { createHash } from 'node:crypto';
import { encodeName } from '../host/path-bytes.ts';
import { baseName, type FileNode, parentPath } from '../tree/file-tree.ts';
import {
  allocateColumns,
  type Columns,
  HASH_BYTES,
  HASHED_FLAG,
  KINDS,
  type Kind,
  NO_ORDER,
  OPAQUE_FLAG,
} from './columns.ts';
import { IMPLICIT_DIRECTORY } from './entry-set.ts';
import { encodeExtra, hasExtra } from './index-extra.ts';
import type { LayerEntry } from './layer.ts';

const MARKS: readonly Kind[] = ['implicit', 'whiteout'];

/** A directory of the layer. What else there is has no object of its own: there is too much of it. */
interface Directory {
  readonly path: string;
  /** Among the entries. */
  order: number;
  readonly children: Child[];
  /** Number of a record. */
  firstChild: number;
}

/** A directory, or the place of anything else among the entries. */
type Child = Directory | number;

/** The records, in their order. */
interface Records {
  readonly entries: readonly LayerEntry[];
  readonly list: readonly Child[];
  /** Numbers of records. */
  readonly parents: readonly number[];
}

/**
 * The bytes of an index file. Entries are in the order of the tar, each path once, nothing below what is no directory
 * (an {@link EntrySet} sees to that). `content` of files points into the tar.
 */
export function encodeIndex(entries: Iterable<LayerEntry>, tarSize: number): Buffer {
  const records = breadthFirst([...entries]);
  const pool = createPool(records);
  const columns = allocateColumns({
    count: records.list.length,
    marks: countMarks(records),
    pool: pool.bytes.length,
    tar: tarSize,
  });
  pool.bytes.copy(columns.pool);
  columns.nameAt.set(pool.nameAt);
  columns.nameLength.set(pool.nameLength);
  columns.extraAt.set(pool.extraAt);
  fillRecords(columns, records, numberInodes(records.entries));
  const body = columns.bytes.subarray(0, columns.bytes.length - HASH_BYTES);
  createHash('sha256').update(body).digest().copy(columns.bytes, body.length);
  return columns.bytes;
}

function breadthFirst(entries: readonly LayerEntry[]): Records {
  const list: Child[] = [buildTree(entries)];
  const parents = [0];
  for (let at = 0; at < list.length; at += 1) {
    const directory = list[at]!;
    if (typeof directory === 'number') continue;
    directory.firstChild = list.length;
    // By name, as they lie in one directory.
    directory.children.sort((a, b) => (pathOf(entries, a) < pathOf(entries, b) ? -1 : 1));
    for (const child of directory.children) {
      list.push(child);
      parents.push(at);
    }
  }
  return { entries, list, parents };
}

function buildTree(entries: readonly LayerEntry[]): Directory {
  const root = newDirectory('');
  const directories = new Map([['', root]]);
  const obtain = (path: string): Directory => {
    const found = directories.get(path);
    if (found !== undefined) return found;
    const directory = newDirectory(path);
    obtain(parentPath(path)).children.push(directory);
    directories.set(path, directory);
    return directory;
  };
  let last = root;
  for (let order = 0; order < entries.length; order += 1) {
    const entry = entries[order]!;
    if (isDirectory(entry)) {
      obtain(entry.path).order = order;
      continue;
    }
    // Entries of one directory mostly come one after the other.
    const parent = parentPath(entry.path);
    if (parent !== last.path) last = obtain(parent);
    last.children.push(order);
  }
  return root;
}

function isDirectory(entry: LayerEntry): boolean {
  return 'node' in entry && entry.node.type === 'directory';
}

function newDirectory(path: string): Directory {
  return { path, order: NO_ORDER, children: [], firstChild: 0 };
}

function orderOf(child: Child): number {
  return typeof child === 'number' ? child : child.order;
}

/** `undefined` for a directory that the tar does not list. */
function entryOf(entries: readonly LayerEntry[], child: Child): LayerEntry | undefined {
  const order = orderOf(child);
  return order === NO_ORDER ? undefined : entries[order];
}

function pathOf(entries: readonly LayerEntry[], child: Child): string {
  return typeof child === 'number' ? entries[child]!.path : child.path;
}

/** The root comes first, and is implicit more often than not. */
function countMarks({ entries, list }: Records): number {
  let marks = 0;
  for (let i = 1; i < list.length; i += 1)
    if (MARKS.includes(kindOf(entryOf(entries, list[i]!)))) marks += 1;
  return marks;
}

/** Only inodes of two records or more count: whether a file has links elsewhere is not for this layer to say. */
function numberInodes(entries: readonly LayerEntry[]): Map<string, number> {
  const uses = new Map<string, number>();
  for (const entry of entries) {
    if ('whiteout' in entry || entry.node.inode === undefined) continue;
    uses.set(entry.node.inode, (uses.get(entry.node.inode) ?? 0) + 1);
  }
  const numbers = new Map<string, number>();
  for (const [inode, count] of uses) if (count > 1) numbers.set(inode, numbers.size + 1);
  return numbers;
}

function fillRecords(
  columns: Columns,
  { entries, list, parents }: Records,
  inodes: Map<string, number>,
): void {
  for (let i = 0; i < list.length; i += 1) {
    const record = list[i]!;
    const entry = entryOf(entries, record);
    columns.parent[i] = parents[i]!;
    columns.order[i] = orderOf(record);
    columns.kind[i] = KINDS.indexOf(kindOf(entry));
    columns.firstChild[i] = typeof record === 'number' ? 0 : record.firstChild;
    columns.childCount[i] = typeof record === 'number' ? 0 : record.children.length;
    if (entry !== undefined && 'whiteout' in entry) continue;
    fillNode(columns, i, entry?.node ?? IMPLICIT_DIRECTORY, inodes);
    if (entry?.opaque) columns.flags[i]! |= OPAQUE_FLAG;
  }
}

function kindOf(entry: LayerEntry | undefined): Kind {
  if (entry === undefined) return 'implicit';
  if ('whiteout' in entry) return 'whiteout';
  return entry.implicit ? 'implicit' : entry.node.type;
}

function fillNode(columns: Columns, i: number, node: FileNode, inodes: Map<string, number>): void {
  columns.size[i] = node.size;
  columns.offset[i] =
    node.content !== undefined && 'offset' in node.content ? node.content.offset : 0;
  columns.mtime[i] = node.mtime;
  columns.uid[i] = node.uid;
  columns.gid[i] = node.gid;
  columns.mode[i] = node.mode;
  if (node.inode !== undefined) columns.inode[i] = inodes.get(node.inode) ?? 0;
  if (node.sha256 !== undefined) {
    columns.sha256.write(node.sha256, i * HASH_BYTES, 'hex');
    columns.flags[i]! |= HASHED_FLAG;
  }
}

interface Pool {
  readonly bytes: Buffer;
  readonly nameAt: Uint32Array;
  readonly nameLength: Uint16Array;
  readonly extraAt: Uint32Array;
}

function createPool({ entries, list }: Records): Pool {
  const count = list.length;
  const nameAt = new Uint32Array(count);
  const nameLength = new Uint16Array(count);
  const extraAt = new Uint32Array(count);
  // 0 means that there is nothing, so nothing lies there.
  const pool = growingBytes(1, 32 * count);
  for (let i = 0; i < count; i += 1) {
    const record = list[i]!;
    const entry = entryOf(entries, record);
    nameAt[i] = pool.length();
    nameLength[i] = pool.addName(baseName(pathOf(entries, record)));
    if (entry !== undefined && 'node' in entry && hasExtra(entry.node)) {
      extraAt[i] = pool.length();
      pool.add(encodeExtra(entry.node));
    }
  }
  return { bytes: pool.bytes(), nameAt, nameLength, extraAt };
}

/** Bytes put together from many small pieces, `start` zeros first. */
function growingBytes(start: number, expected: number) {
  let bytes = Buffer.alloc(start + expected);
  let end = start;
  const makeRoom = (size: number): void => {
    if (end + size <= bytes.length) return;
    bytes = Buffer.concat([bytes.subarray(0, end)], 2 * (end + size));
  };
  const add = (piece: Uint8Array): void => {
    makeRoom(piece.length);
    bytes.set(piece, end);
    end += piece.length;
  };
  return {
    length: () => end,
    bytes: () => bytes.subarray(0, end),
    add,
    /** Returns how many bytes the name has. */
    addName(name: string): number {
      const before = end;
      makeRoom(3 * name.length);
      if (name.isWellFormed()) end += bytes.write(name, end);
      else add(encodeName(name));
      return end - before;
    },
  };
}
