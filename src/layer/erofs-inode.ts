/** What an inode of EROFS takes: its structure and attributes, then chunk indexes or small data, then blocks of data. */
import { TsbuildError } from '../errors.ts';
import { displayName, encodeName } from '../host/path-bytes.ts';
import type { FileNode, FileType } from '../tree/file-tree.ts';
import { type Columns, KINDS, type Kind, OPAQUE_FLAG, pathOf } from './columns.ts';
import { type Dirents, direntsSize, listDirents } from './erofs-dirents.ts';
import { BLOCK_SIZE, CHUNK_INDEX_SIZE, chunkBits, INODE_SIZE } from './erofs-format.ts';
import { encodeXattrs } from './erofs-xattrs.ts';
import { extraOf } from './index-extra.ts';
import { lowerXattrs } from './lower.ts';

/** Made of a record when it is needed, and dropped again: a layer may have a million. */
export interface Inode {
  /** Of a whiteout: a device. */
  readonly type: FileType;
  /** Length of the file, directory or link. */
  readonly size: number;
  readonly xattrs: Buffer;
  /** Of a directory. */
  readonly dirents: Dirents | undefined;
  /** Of a symlink. */
  readonly target: Buffer | undefined;
  /** Of a device. */
  readonly device: FileNode['device'];
  /** The number that hard links of each other share, or 0. */
  readonly linked: number;
}

/**
 * The inode of a record that has been checked.
 * @throws TsbuildError `ARCHIVE` for a name that is there twice, `UNSUPPORTED_HOST` for attributes that are too long.
 */
export function inodeOf(columns: Columns, record: number): Inode {
  const type = TYPES[KINDS[columns.kind[record]!]!];
  const extra = extraOf(columns, record);
  const dirents = type === 'directory' ? listDirents(columns, record) : undefined;
  const target = type === 'symlink' ? encodeName(extra.linkTarget!) : undefined;
  const opaque = (columns.flags[record]! & OPAQUE_FLAG) !== 0;
  const xattrs = encodeXattrs(lowerXattrs({ node: extra, opaque }, 'trusted'));
  if (xattrs === undefined) {
    const name = displayName(pathOf(columns, record)) || 'the root';
    throw unsupported(`the attributes of ${name} are too long`);
  }
  return {
    type,
    size: dirents ? direntsSize(dirents) : (target?.length ?? columns.size[record]!),
    xattrs,
    dirents,
    target,
    device: type === 'char' || type === 'block' ? (extra.device ?? WHITEOUT) : undefined,
    // A directory has one name, whatever the index says.
    linked: dirents ? 0 : columns.inode[record]!,
  };
}

const WHITEOUT = { major: 0, minor: 0 };

/** A whiteout of overlayfs is the device 0:0. */
const TYPES: Readonly<Record<Kind, FileType>> = {
  file: 'file',
  directory: 'directory',
  implicit: 'directory',
  symlink: 'symlink',
  char: 'char',
  whiteout: 'char',
  block: 'block',
  fifo: 'fifo',
};

export function isInTar({ type, size }: Inode): boolean {
  return type === 'file' && size > 0;
}

export function hasDataInImage({ type }: Inode): boolean {
  return type === 'directory' || type === 'symlink';
}

/**
 * Whether the data of an inode at `offset` follows it at once. Such data must not cross the end of a block
 * (erofs_map_blocks in fs/erofs/data.c).
 */
export function isInline(inode: Inode, offset: number): boolean {
  const start = (offset + headSize(inode)) % BLOCK_SIZE;
  return hasDataInImage(inode) && inode.size < BLOCK_SIZE && start + inode.size <= BLOCK_SIZE;
}

/** Where in the image the data of an inode at `offset` is: behind it, or in blocks of its own after that. */
export function dataOffset(inode: Inode, offset: number): number {
  const end = offset + headSize(inode);
  return isInline(inode, offset) ? end : roundUp(end, BLOCK_SIZE);
}

/**
 * Where the next inode may begin. Blocks of data count in full: the last name of a directory ends at a zero, or with the
 * block (erofs_dirnamecmp in fs/erofs/namei.c).
 */
export function endOf(inode: Inode, offset: number): number {
  const head = offset + headSize(inode);
  if (isInTar(inode)) return head + chunkCount(inode) * CHUNK_INDEX_SIZE;
  if (!hasDataInImage(inode)) return head;
  const end = dataOffset(inode, offset) + inode.size;
  return isInline(inode, offset) ? end : roundUp(end, BLOCK_SIZE);
}

/** The inode and its attributes; chunk indexes follow at a multiple of their size. */
export function headSize(inode: Inode): number {
  const size = INODE_SIZE + inode.xattrs.length;
  return isInTar(inode) ? roundUp(size, CHUNK_INDEX_SIZE) : size;
}

/** Of a file: for any below a terabyte there is one. */
export function chunkCount({ size }: Inode): number {
  return Math.ceil(size / (BLOCK_SIZE * 2 ** chunkBits(size)));
}

export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

export function unsupported(why: string): TsbuildError {
  return new TsbuildError('UNSUPPORTED_HOST', `lay a layer out as EROFS: ${why}`);
}
