/**
 * The EROFS form of a layer: an image of names and attributes alone, whose file contents are ranges of the layer's
 * tar. The kernel mounts it with the tar as its second device, so a layer of any size is mounted in milliseconds and
 * no file is created (https://docs.kernel.org/filesystems/erofs.html, the same idea as `mkfs.erofs --tar=i`).
 *
 * It works because EROFS allows blocks of 512 bytes, the unit of a tar: each file of a tar starts at a block. A
 * file's inode then says "one chunk, at block n of device 1". Directories and symlinks lie in the image.
 *
 *     superblock │ device slot │ inodes, each with its xattrs and small data │ blocks of larger directories and links
 *
 * The image is a function of the index: the same layer gives the same bytes. It is valid whatever the index says,
 * since the kernel will read it with our privileges: lower.ts has checked paths and numbers, the rest is laid out
 * here.
 */
import { TsbuildError } from '../errors.ts';
import { displayName, encodeName } from '../host/path-bytes.ts';
import { hexOf } from '../oci/digest.ts';
import { baseName, type FileNode, type FileType, parentPath } from '../tree/file-tree.ts';
import { direntsSize, sortDirents, writeDirents } from './erofs-dirents.ts';
import {
  BLOCK_SIZE,
  CHUNK_INDEX_SIZE,
  chunkBits,
  chunkUnion,
  deviceUnion,
  INODE_SIZE,
  INODE_SLOT,
  Layout,
  MAX_BLOCKS,
  METADATA_OFFSET,
  UNION_NONE,
  writeChunkIndex,
  writeInode,
  writeSuperblock,
  XATTR_SIZE_MAX,
} from './erofs-format.ts';
import { encodeXattrs } from './erofs-xattrs.ts';
import type { Layer, LayerIndex } from './layer.ts';
import { type LowerEntry, lowerEntries, lowerXattrs } from './lower.ts';

/** One file of the image; hard links share it. The numbers below are filled in as they become known. */
interface Inode {
  readonly node: FileNode;
  readonly xattrs: Buffer;
  /** Of a directory, with `.` and `..`; else empty. */
  readonly children: { readonly name: Buffer; readonly inode: Inode }[];
  /** Of a symlink. */
  readonly target: Buffer | undefined;
  links: number;
  /** Length of the file, directory or link. */
  size: number;
  /** Where the inode is in the image. */
  offset: number;
  /** Where the data is: in the image, but for a file in the tar. */
  dataOffset: number;
  /** Whether the data follows the inode within its block. */
  inline: boolean;
}

/**
 * @throws TsbuildError `ARCHIVE` if no filesystem can hold the layer, `UNSUPPORTED_HOST` if only EROFS cannot: the
 * tar has two terabytes, contents do not lie in it block by block, an attribute is longer than 64 KiB.
 */
export function erofsImage(layer: Layer, index: LayerIndex): Buffer {
  const deviceBlocks = Math.ceil(layer.size / BLOCK_SIZE);
  if (deviceBlocks >= MAX_BLOCKS) throw unsupported('the tar is too large');
  const inodes = planInodes(lowerEntries(index), layer);
  const image = Buffer.alloc(place(inodes));
  for (const [at, inode] of inodes.entries()) write(image, inode, at + 1);
  writeSuperblock(image, {
    rootNid: nidOf(inodes[0]!),
    inodes: inodes.length,
    blocks: image.length / BLOCK_SIZE,
    uuid: Buffer.from(hexOf(layer.diffID), 'hex'),
    deviceTag: hexOf(layer.diffID),
    deviceBlocks,
  });
  return image;
}

/** The inodes that the entries need, the root's first, with all that can be said before their places are known. */
function planInodes(entries: readonly LowerEntry[], layer: Layer): Inode[] {
  const inodes: Inode[] = [];
  const directories = new Map<string, Inode>();
  const shared = new Map<string, Inode>();
  for (const entry of entries) {
    const { node, path } = entry;
    const key = node.type === 'directory' ? undefined : node.inode;
    const known = key === undefined ? undefined : shared.get(key);
    const inode = known ?? planInode(entry, layer);
    if (known === undefined) inodes.push(inode);
    if (key !== undefined) shared.set(key, inode);
    const parent = path === '' ? inode : directories.get(parentPath(path))!;
    if (path !== '') addChild(parent, encodeName(baseName(path)), inode);
    if (node.type !== 'directory') continue;
    directories.set(path, inode);
    addChild(inode, DOT, inode);
    addChild(inode, DOT_DOT, parent);
  }
  for (const { children } of directories.values()) sortDirents(children);
  for (const inode of directories.values()) inode.size = direntsSize(inode.children);
  return inodes;
}

function addChild(directory: Inode, name: Buffer, inode: Inode): void {
  directory.children.push({ name, inode });
  inode.links += 1;
}

const DOT = Buffer.from('.');
const DOT_DOT = Buffer.from('..');

function planInode(entry: LowerEntry, layer: Layer): Inode {
  const { node } = entry;
  const xattrs = encodeXattrs(lowerXattrs(entry, 'trusted'));
  if (xattrs === undefined || xattrs.length > XATTR_SIZE_MAX) {
    throw unsupported(`the attributes of ${displayName(entry.path)} are too long`);
  }
  const target = node.type === 'symlink' ? encodeName(node.linkTarget ?? '') : undefined;
  const size = node.type === 'file' ? node.size : (target?.length ?? 0);
  const dataOffset = node.type === 'file' && size > 0 ? offsetInTar(entry, layer) : 0;
  return {
    node,
    xattrs,
    children: [],
    target,
    links: 0,
    size,
    offset: 0,
    dataOffset,
    inline: false,
  };
}

/** Where a file starts. Checked, since the kernel would show the bytes of another file, or read past the end. */
function offsetInTar({ node, path }: LowerEntry, layer: Layer): number {
  const { content, size } = node;
  if (
    content === undefined ||
    !('file' in content) ||
    content.file !== layer.tar ||
    content.size !== size ||
    !(content.offset >= 0) ||
    content.offset % BLOCK_SIZE !== 0 ||
    content.offset + size > layer.size
  ) {
    throw unsupported(`the content of ${displayName(path)} is not whole blocks of the tar`);
  }
  return content.offset;
}

/** Gives each inode and its data a place, and returns the length of the image. */
function place(inodes: readonly Inode[]): number {
  let end = METADATA_OFFSET;
  for (const inode of inodes) {
    inode.offset = roundUp(end, INODE_SLOT);
    if (hasDataInImage(inode)) placeInline(inode);
    end = inode.offset + headSize(inode) + tailSize(inode);
  }
  for (const inode of inodes) {
    if (!hasDataInImage(inode) || inode.inline) continue;
    inode.dataOffset = roundUp(end, BLOCK_SIZE);
    end = inode.dataOffset + inode.size;
  }
  return roundUp(end, BLOCK_SIZE);
}

/**
 * Puts small data behind its inode if it can, moving the inode to the next block if need be: such data must not
 * cross the end of a block (erofs_map_blocks in fs/erofs/data.c).
 */
function placeInline(inode: Inode): void {
  if (inode.size >= BLOCK_SIZE) return;
  for (const offset of [inode.offset, roundUp(inode.offset, BLOCK_SIZE)]) {
    const dataOffset = offset + headSize(inode);
    if ((dataOffset % BLOCK_SIZE) + inode.size > BLOCK_SIZE) continue;
    Object.assign(inode, { offset, dataOffset, inline: true });
    return;
  }
}

function write(image: Buffer, inode: Inode, serial: number): void {
  const { node, xattrs } = inode;
  writeInode(image, inode.offset, {
    layout: isInTar(inode) ? Layout.chunks : inode.inline ? Layout.inline : Layout.plain,
    mode: TYPE_BITS[node.type] | (node.type === 'symlink' ? 0o777 : node.mode & 0o7777),
    uid: node.uid,
    gid: node.gid,
    size: inode.size,
    mtime: node.mtime,
    links: inode.links,
    xattrSize: xattrs.length,
    serial,
    union: unionOf(inode),
  });
  image.set(xattrs, inode.offset + INODE_SIZE);
  if (isInTar(inode)) writeChunks(image, inode);
  if (inode.target) image.set(inode.target, inode.dataOffset);
  if (node.type === 'directory') {
    const entries = inode.children.map((child) => ({
      name: child.name,
      type: child.inode.node.type,
      nid: nidOf(child.inode),
    }));
    writeDirents(image, inode.dataOffset, entries);
  }
}

function unionOf(inode: Inode): number {
  const { node } = inode;
  if (node.type === 'char' || node.type === 'block') {
    return deviceUnion(node.device?.major ?? 0, node.device?.minor ?? 0);
  }
  if (isInTar(inode)) return chunkUnion(chunkBits(inode.size));
  return hasDataInImage(inode) && !inode.inline ? inode.dataOffset / BLOCK_SIZE : UNION_NONE;
}

/** The first block of each chunk; for any file below a terabyte there is one. */
function writeChunks(image: Buffer, inode: Inode): void {
  const start = inode.dataOffset / BLOCK_SIZE;
  const blocks = 2 ** chunkBits(inode.size);
  for (let chunk = 0; chunk < chunkCount(inode); chunk += 1) {
    const offset = inode.offset + headSize(inode) + chunk * CHUNK_INDEX_SIZE;
    writeChunkIndex(image, offset, start + chunk * blocks);
  }
}

const TYPE_BITS: Readonly<Record<FileType, number>> = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  char: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
};

function nidOf(inode: Inode): number {
  return inode.offset / INODE_SLOT;
}

function isInTar(inode: Inode): boolean {
  return inode.node.type === 'file' && inode.size > 0;
}

function hasDataInImage({ node }: Inode): boolean {
  return node.type === 'directory' || node.type === 'symlink';
}

/** The inode and its attributes; chunk indexes follow at a multiple of their size. */
function headSize(inode: Inode): number {
  const size = INODE_SIZE + inode.xattrs.length;
  return isInTar(inode) ? roundUp(size, CHUNK_INDEX_SIZE) : size;
}

function tailSize(inode: Inode): number {
  if (isInTar(inode)) return chunkCount(inode) * CHUNK_INDEX_SIZE;
  return inode.inline ? inode.size : 0;
}

function chunkCount({ size }: Inode): number {
  return Math.ceil(size / (BLOCK_SIZE * 2 ** chunkBits(size)));
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

function unsupported(why: string): TsbuildError {
  return new TsbuildError('UNSUPPORTED_HOST', `lay a layer out as EROFS: ${why}`);
}
