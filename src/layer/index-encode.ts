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

interface TreeRecord {
  readonly name: string;
  entry: LayerEntry | undefined;
  order: number;
  children: TreeRecord[] | undefined;
  /** Numbers of records. */
  parent: number;
  firstChild: number;
}

/**
 * The bytes of an index file. Entries are in the order of the tar, each path once, nothing below what is no directory
 * (an {@link EntrySet} sees to that). `content` of files points into the tar.
 */
export function encodeIndex(entries: Iterable<LayerEntry>, tarSize: number): Buffer {
  const records = breadthFirst(buildTree(entries));
  const pool = createPool(records);
  const columns = allocateColumns({
    count: records.length,
    // The root comes first, and is implicit more often than not.
    marks: records.slice(1).filter(({ entry }) => MARKS.includes(kindOf(entry))).length,
    pool: pool.bytes.length,
    tar: tarSize,
  });
  pool.bytes.copy(columns.pool);
  columns.nameAt.set(pool.nameAt);
  columns.nameLength.set(pool.nameLength);
  columns.extraAt.set(pool.extraAt);
  const inodes = numberInodes(records);
  for (let i = 0; i < records.length; i += 1) fillRecord(columns, i, records[i]!, inodes);
  const body = columns.bytes.subarray(0, columns.bytes.length - HASH_BYTES);
  createHash('sha256').update(body).digest().copy(columns.bytes, body.length);
  return columns.bytes;
}

function buildTree(entries: Iterable<LayerEntry>): TreeRecord {
  const root = newRecord('');
  const directories = new Map([['', root]]);
  const obtain = (path: string): TreeRecord => {
    const found = directories.get(path);
    if (found !== undefined) return found;
    const record = addChild(obtain(parentPath(path)), path);
    directories.set(path, record);
    return record;
  };
  let order = 0;
  let last = { path: '', record: root };
  for (const entry of entries) {
    const { path } = entry;
    const parent = parentPath(path);
    // Entries of one directory mostly come one after the other.
    if (parent !== last.path) last = { path: parent, record: obtain(parent) };
    // Nothing lies below what is no directory, and each path comes once.
    const record = isDirectory(entry) ? obtain(path) : addChild(last.record, path);
    record.entry = entry;
    record.order = order;
    order += 1;
  }
  return root;
}

function isDirectory(entry: LayerEntry): boolean {
  return 'node' in entry && entry.node.type === 'directory';
}

function addChild(parent: TreeRecord, path: string): TreeRecord {
  const record = newRecord(baseName(path));
  parent.children ??= [];
  parent.children.push(record);
  return record;
}

function newRecord(name: string): TreeRecord {
  return { name, entry: undefined, order: NO_ORDER, children: undefined, parent: 0, firstChild: 0 };
}

function breadthFirst(root: TreeRecord): TreeRecord[] {
  const records = [root];
  for (let at = 0; at < records.length; at += 1) {
    const record = records[at]!;
    record.children?.sort((a, b) => (a.name < b.name ? -1 : 1));
    record.firstChild = records.length;
    for (const child of record.children ?? []) {
      child.parent = at;
      records.push(child);
    }
  }
  return records;
}

/** Only inodes of two records or more count: whether a file has links elsewhere is not for this layer to say. */
function numberInodes(records: readonly TreeRecord[]): Map<string, number> {
  const uses = new Map<string, number>();
  for (const { entry } of records) {
    if (entry === undefined || 'whiteout' in entry || entry.node.inode === undefined) continue;
    uses.set(entry.node.inode, (uses.get(entry.node.inode) ?? 0) + 1);
  }
  const numbers = new Map<string, number>();
  for (const [inode, count] of uses) if (count > 1) numbers.set(inode, numbers.size + 1);
  return numbers;
}

function fillRecord(
  columns: Columns,
  i: number,
  record: TreeRecord,
  inodes: Map<string, number>,
): void {
  const { entry, children } = record;
  columns.parent[i] = record.parent;
  columns.order[i] = record.order;
  columns.kind[i] = KINDS.indexOf(kindOf(entry));
  columns.firstChild[i] = record.firstChild;
  columns.childCount[i] = children?.length ?? 0;
  if (entry !== undefined && 'whiteout' in entry) return;
  fillNode(columns, i, entry?.node ?? IMPLICIT_DIRECTORY, inodes);
  if (entry?.opaque) columns.flags[i]! |= OPAQUE_FLAG;
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

function createPool(records: readonly TreeRecord[]): Pool {
  const count = records.length;
  const nameAt = new Uint32Array(count);
  const nameLength = new Uint16Array(count);
  const extraAt = new Uint32Array(count);
  // 0 means that there is nothing, so nothing lies there.
  const pool = growingBytes(1, 32 * count);
  for (let i = 0; i < count; i += 1) {
    const { name, entry } = records[i]!;
    nameAt[i] = pool.length();
    nameLength[i] = pool.addName(name);
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
