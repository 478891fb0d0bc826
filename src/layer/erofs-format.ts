/**
 * The structures of EROFS on disk, as far as we write them: superblock, device slot, extended inode, chunk index.
 * All little-endian. Names and offsets: https://docs.kernel.org/filesystems/erofs.html#on-disk-details and
 * fs/erofs/erofs_fs.h of Linux; its field names are kept in the comments.
 */

export const BLOCK_BITS = 9;
/** That of a tar, so that every file of one starts at a block. */
export const BLOCK_SIZE = 1 << BLOCK_BITS;
/** An inode's number (nid) is its offset in units of this. */
export const INODE_SLOT = 32;
export const INODE_SIZE = 64;
export const CHUNK_INDEX_SIZE = 8;
export const DIRENT_SIZE = 12;

const SUPERBLOCK_OFFSET = 1024;
const SUPERBLOCK_SIZE = 128;
const MAGIC = 0xe0f5e1e2;
/** i_mtime is the time of the last change of the content, as everywhere else. */
const FEATURE_COMPAT_MTIME = 0x2;
const FEATURE_INCOMPAT_CHUNKED_FILE = 0x4;
const FEATURE_INCOMPAT_DEVICE_TABLE = 0x8;
const DEVICE_SLOT_OFFSET = SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE;
const DEVICE_SLOT_SIZE = 128;
/** The one extra device: the tar. */
const DEVICE_ID = 1;

/** Where inodes may begin. */
export const METADATA_OFFSET = DEVICE_SLOT_OFFSET + DEVICE_SLOT_SIZE;

/** Block addresses have 32 bits; the last one means "none". */
export const MAX_BLOCKS = 0xffff_ffff;
const NO_BLOCK = 0xffff_ffff;

/** A chunk's format: five bits for its size, and that addresses follow as indexes, which name a device. */
const CHUNK_BITS_MAX = 31;
const CHUNK_FORMAT_INDEXES = 0x20;

/** How the data of an inode is laid out: `i_format`, bits 1 to 3. */
export const Layout = { plain: 0, inline: 2, chunks: 4 } as const;
export type Layout = (typeof Layout)[keyof typeof Layout];

/** The image's bytes, and the same for numbers. */
export interface Image {
  readonly bytes: Buffer;
  readonly fields: DataView;
}

/** Of zeros. */
export function createImage(size: number): Image {
  const bytes = Buffer.alloc(size);
  return { bytes, fields: new DataView(bytes.buffer, bytes.byteOffset, size) };
}

export interface Superblock {
  readonly rootNid: number;
  readonly inodes: number;
  /** Of the image itself. */
  readonly blocks: number;
  readonly uuid: Uint8Array;
  /** Names the extra device: at most 64 bytes. */
  readonly deviceTag: string;
  readonly deviceBlocks: number;
}

export function writeSuperblock({ bytes }: Image, superblock: Superblock): void {
  const at = bytes.subarray(SUPERBLOCK_OFFSET);
  at.writeUInt32LE(MAGIC, 0);
  at.writeUInt32LE(FEATURE_COMPAT_MTIME, 8); // feature_compat; without SB_CHKSUM
  at.writeUInt8(BLOCK_BITS, 12); // blkszbits
  at.writeUInt16LE(superblock.rootNid, 14); // root_nid
  at.writeBigUInt64LE(BigInt(superblock.inodes), 16); // inos
  at.writeUInt32LE(superblock.blocks, 36); // blocks
  at.set(superblock.uuid.subarray(0, 16), 48); // uuid
  at.writeUInt32LE(FEATURE_INCOMPAT_CHUNKED_FILE | FEATURE_INCOMPAT_DEVICE_TABLE, 80);
  at.writeUInt16LE(1, 86); // extra_devices
  at.writeUInt16LE(DEVICE_SLOT_OFFSET / DEVICE_SLOT_SIZE, 88); // devt_slotoff
  const slot = bytes.subarray(DEVICE_SLOT_OFFSET);
  slot.write(superblock.deviceTag, 0, 64, 'latin1'); // tag
  slot.writeUInt32LE(superblock.deviceBlocks, 64); // blocks
}

/** Whether these are the first bytes of an image that {@link writeSuperblock} completed, of which as many are left. */
export function isWhole(start: Buffer, size: number): boolean {
  if (start.length < METADATA_OFFSET) return false;
  const at = start.subarray(SUPERBLOCK_OFFSET);
  return at.readUInt32LE(0) === MAGIC && at.readUInt32LE(36) * BLOCK_SIZE === size;
}

export interface InodeFields {
  readonly layout: Layout;
  /** File type and permission bits as in `st_mode`. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  readonly links: number;
  /** Length of the extended attributes that follow. */
  readonly xattrSize: number;
  /** For `stat` of 32-bit programs. */
  readonly serial: number;
  /** By layout and type: address of the first block, number of a device, format of the chunks. */
  readonly union: number;
}

/** `struct erofs_inode_extended` */
export function writeInode({ fields }: Image, offset: number, inode: InodeFields): void {
  const remainder = Number(inode.mtime % SECOND);
  const seconds = inode.mtime / SECOND - (remainder < 0 ? 1n : 0n);
  fields.setUint16(offset, 1 | (inode.layout << 1), true); // i_format: extended
  fields.setUint16(offset + 2, xattrCount(inode.xattrSize), true); // i_xattr_icount
  fields.setUint16(offset + 4, inode.mode, true);
  fields.setUint32(offset + 8, inode.size, true);
  fields.setUint32(offset + 12, inode.size / 2 ** 32, true);
  fields.setUint32(offset + 16, inode.union, true); // i_u
  fields.setUint32(offset + 20, inode.serial, true); // i_ino
  fields.setUint32(offset + 24, inode.uid, true);
  fields.setUint32(offset + 28, inode.gid, true);
  fields.setBigInt64(offset + 32, seconds, true); // i_mtime
  fields.setUint32(offset + 40, remainder < 0 ? remainder + 1e9 : remainder, true); // i_mtime_nsec
  fields.setUint32(offset + 44, inode.links, true); // i_nlink
}

const SECOND = 1_000_000_000n;

export const XATTR_HEADER_SIZE = 12;
/** i_xattr_icount has 16 bits; it counts units of 4 bytes, the header as one. */
export const XATTR_SIZE_MAX = XATTR_HEADER_SIZE + 4 * 0xfffe;

function xattrCount(size: number): number {
  return size === 0 ? 0 : (size - XATTR_HEADER_SIZE) / 4 + 1;
}

/** `i_u` of an inode without data, which is not at any block. */
export const UNION_NONE = NO_BLOCK;

/** `i_u` of a device: `new_encode_dev` of linux/kdev_t.h. */
export function deviceUnion(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

/** `i_u` of a file in chunks of 2 to the power of `bits` blocks. */
export function chunkUnion(bits: number): number {
  return bits | CHUNK_FORMAT_INDEXES;
}

/** The smallest chunk that holds `size` bytes, which are not 0: one index is then enough, up to a terabyte. */
export function chunkBits(size: number): number {
  const blocks = Math.ceil(size / BLOCK_SIZE);
  return blocks > 2 ** CHUNK_BITS_MAX ? CHUNK_BITS_MAX : 32 - Math.clz32(blocks - 1);
}

/** `struct erofs_inode_chunk_index`; `block` counts in the tar. */
export function writeChunkIndex({ fields }: Image, offset: number, block: number): void {
  fields.setUint16(offset + 2, DEVICE_ID, true); // device_id
  fields.setUint32(offset + 4, block, true); // startblk_lo
}
