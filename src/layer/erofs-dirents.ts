/**
 * Directories of EROFS. The entries of a block are an array of fixed structures, and after it their names without
 * terminators. Blocks hold as many entries as fit, ordered by the bytes of the names across the whole directory,
 * since the kernel finds a name by bisection: first the block, then the entry in it (fs/erofs/namei.c).
 */
import type { FileType } from '../tree/file-tree.ts';
import { BLOCK_SIZE, DIRENT_SIZE } from './erofs-format.ts';

export interface Dirent {
  readonly name: Buffer;
  readonly type: FileType;
  readonly nid: number;
}

/** EROFS_FT_*, which are the kernel's FT_*. */
const TYPES: Readonly<Record<FileType, number>> = {
  file: 1,
  directory: 2,
  char: 3,
  block: 4,
  fifo: 5,
  symlink: 7,
};

export function sortDirents<T extends { readonly name: Buffer }>(entries: T[]): T[] {
  return entries.sort((a, b) => Buffer.compare(a.name, b.name));
}

/** Bytes of a directory with these names: all blocks but the last one count in full. */
export function direntsSize(sorted: readonly { readonly name: Buffer }[]): number {
  let size = 0;
  for (const { used } of blocks(sorted)) size = Math.ceil(size / BLOCK_SIZE) * BLOCK_SIZE + used;
  return size;
}

/** Writes the directory at `offset`, into zeros. */
export function writeDirents(image: Buffer, offset: number, sorted: readonly Dirent[]): void {
  let block = offset;
  for (const { from, to } of blocks(sorted)) {
    let name = (to - from) * DIRENT_SIZE;
    for (let at = from; at < to; at += 1) {
      const entry = sorted[at]!;
      const position = block + (at - from) * DIRENT_SIZE;
      image.writeUInt32LE(entry.nid % 2 ** 32, position);
      image.writeUInt32LE(Math.floor(entry.nid / 2 ** 32), position + 4);
      image.writeUInt16LE(name, position + 8); // nameoff
      image.writeUInt8(TYPES[entry.type], position + 10); // file_type
      name += entry.name.copy(image, block + name);
    }
    block += BLOCK_SIZE;
  }
}

/** Which entries share a block. A name of 255 bytes fits, so every block has at least one. */
function* blocks(sorted: readonly { readonly name: Buffer }[]) {
  let from = 0;
  let used = 0;
  for (let at = 0; at < sorted.length; at += 1) {
    const size = DIRENT_SIZE + sorted[at]!.name.length;
    if (used + size > BLOCK_SIZE) {
      yield { from, to: at, used };
      from = at;
      used = 0;
    }
    used += size;
  }
  yield { from, to: sorted.length, used };
}
