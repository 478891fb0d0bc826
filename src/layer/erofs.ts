/**
 * The EROFS form of a layer: an image of names and attributes alone, whose file contents are ranges of the layer's
 * tar. The kernel mounts it with the tar as its second device, so a layer of any size is mounted in milliseconds and
 * no file is created (https://docs.kernel.org/filesystems/erofs.html, the same idea as `mkfs.erofs --tar=i`).
 *
 * It works because EROFS allows blocks of 512 bytes, the unit of a tar: each file of a tar starts at a block. A
 * file's inode then says "one chunk, at block n of device 1". Directories and symlinks lie in the image.
 *
 *     superblock │ device slot │ inodes, each with its xattrs and small data, or before blocks of larger data
 *
 * The image is a function of the index: the same layer gives the same bytes. It is valid whatever the index says,
 * since the kernel will read it with our privileges: names and numbers are checked. It is written in two passes over the
 * records of the index (columns.ts), and little is kept of each: the first finds a place for every inode.
 */
import { hexOf } from '../oci/digest.ts';
import type { FileType } from '../tree/file-tree.ts';
import type { Columns } from './columns.ts';
import { linksOfDirectory, writeDirents } from './erofs-dirents.ts';
import {
  BLOCK_SIZE,
  CHUNK_INDEX_SIZE,
  chunkBits,
  chunkUnion,
  createImage,
  deviceUnion,
  type Image,
  INODE_SIZE,
  INODE_SLOT,
  Layout,
  MAX_BLOCKS,
  UNION_NONE,
  writeChunkIndex,
  writeInode,
  writeSuperblock,
} from './erofs-format.ts';
import {
  chunkCount,
  dataOffset,
  hasDataInImage,
  headSize,
  type Inode,
  inodeOf,
  isInline,
  isInTar,
  unsupported,
} from './erofs-inode.ts';
import { type Plan, planImage } from './erofs-plan.ts';
import type { Layer } from './layer.ts';

/**
 * @throws TsbuildError `ARCHIVE` if no filesystem can hold the layer, `UNSUPPORTED_HOST` if only EROFS cannot: the
 * tar has two terabytes, contents do not lie in it block by block, an attribute is longer than 64 KiB.
 */
export function erofsImage(layer: Layer, columns: Columns): Buffer {
  const deviceBlocks = Math.ceil(layer.size / BLOCK_SIZE);
  if (deviceBlocks >= MAX_BLOCKS) throw unsupported('the tar is too large');
  const plan = planImage(columns, layer);
  const image = createImage(plan.size);
  for (let record = 0; record < columns.count; record += 1) write(image, columns, record, plan);
  writeSuperblock(image, {
    rootNid: plan.nids[0]!,
    inodes: plan.inodes,
    blocks: plan.size / BLOCK_SIZE,
    uuid: Buffer.from(hexOf(layer.diffID), 'hex'),
    deviceTag: hexOf(layer.diffID),
    deviceBlocks,
  });
  return image.bytes;
}

function write(image: Image, columns: Columns, record: number, plan: Plan): void {
  const inode = inodeOf(columns, record);
  const links = plan.links.get(inode.linked);
  // Written already.
  if (links && links.first !== record) return;
  const offset = plan.nids[record]! * INODE_SLOT;
  const { type } = inode;
  writeInode(image, offset, {
    layout: layoutOf(inode, offset),
    mode: TYPE_BITS[type] | (type === 'symlink' ? 0o777 : columns.mode[record]! & 0o7777),
    uid: columns.uid[record]!,
    gid: columns.gid[record]!,
    size: inode.size,
    mtime: columns.mtime[record]!,
    links: inode.dirents ? linksOfDirectory(inode.dirents, columns) : (links?.count ?? 1),
    xattrSize: inode.xattrs.length,
    serial: record + 1,
    union: unionOf(inode, offset),
  });
  if (inode.xattrs.length > 0) image.bytes.set(inode.xattrs, offset + INODE_SIZE);
  if (isInTar(inode)) writeChunks(image, inode, offset, columns.offset[record]!);
  if (inode.target) image.bytes.set(inode.target, dataOffset(inode, offset));
  if (inode.dirents) {
    const { nids } = plan;
    writeDirents(image, dataOffset(inode, offset), inode.dirents, { columns, nids });
  }
}

function layoutOf(inode: Inode, offset: number): Layout {
  if (isInTar(inode)) return Layout.chunks;
  return isInline(inode, offset) ? Layout.inline : Layout.plain;
}

function unionOf(inode: Inode, offset: number): number {
  if (inode.device) return deviceUnion(inode.device.major, inode.device.minor);
  if (isInTar(inode)) return chunkUnion(chunkBits(inode.size));
  if (!hasDataInImage(inode) || isInline(inode, offset)) return UNION_NONE;
  return dataOffset(inode, offset) / BLOCK_SIZE;
}

/** The first block of each chunk. */
function writeChunks(image: Image, inode: Inode, offset: number, content: number): void {
  const start = content / BLOCK_SIZE;
  const blocks = 2 ** chunkBits(inode.size);
  for (let chunk = 0; chunk < chunkCount(inode); chunk += 1) {
    const at = offset + headSize(inode) + chunk * CHUNK_INDEX_SIZE;
    writeChunkIndex(image, at, start + chunk * blocks);
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
