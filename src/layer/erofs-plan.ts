/**
 * Where the inodes of an image lie. Of each record only the number of its inode is kept, which is its place; all else the
 * index says again when it is written.
 */
import { displayName } from '../host/path-bytes.ts';
import { checkRecords } from './check-records.ts';
import { type Columns, pathOf } from './columns.ts';
import { BLOCK_SIZE, INODE_SLOT, METADATA_OFFSET } from './erofs-format.ts';
import {
  endOf,
  type Inode,
  inodeOf,
  isInline,
  isInTar,
  roundUp,
  unsupported,
} from './erofs-inode.ts';
import type { Layer } from './layer.ts';

export interface Plan {
  /** Of each record, the number of its inode. Hard links of each other have one. */
  readonly nids: Uint32Array;
  /** By {@link Inode.linked}: the first record, and how many there are. */
  readonly links: ReadonlyMap<number, Links>;
  readonly inodes: number;
  /** Bytes of the image. */
  readonly size: number;
}

interface Links {
  readonly first: number;
  count: number;
}

/** @throws TsbuildError `ARCHIVE` if no filesystem can hold the layer, `UNSUPPORTED_HOST` if only EROFS cannot. */
export function planImage(columns: Columns, layer: Layer): Plan {
  checkRecords(columns);
  const nids = new Uint32Array(columns.count);
  const links = new Map<number, Links>();
  let inodes = 0;
  let end = METADATA_OFFSET;
  for (let record = 0; record < columns.count; record += 1) {
    const inode = inodeOf(columns, record);
    const known = links.get(inode.linked);
    if (known) {
      known.count += 1;
      nids[record] = nids[known.first]!;
      continue;
    }
    if (inode.linked !== 0) links.set(inode.linked, { first: record, count: 1 });
    if (isInTar(inode)) checkContent(columns, record, layer);
    const offset = place(inode, end);
    nids[record] = offset / INODE_SLOT;
    end = endOf(inode, offset);
    inodes += 1;
  }
  return { nids, links, inodes, size: roundUp(end, BLOCK_SIZE) };
}

/** Checked, since the kernel would show the bytes of another file, or read past the end. No file of a tar lies at 0. */
function checkContent(columns: Columns, record: number, layer: Layer): void {
  const start = columns.offset[record]!;
  const end = start + columns.size[record]!;
  if (start > 0 && start % BLOCK_SIZE === 0 && end <= layer.size) return;
  const name = displayName(pathOf(columns, record));
  throw unsupported(`the content of ${name} is not whole blocks of the tar`);
}

/** At `end`, or at the next block if small data then fits behind the inode. */
function place(inode: Inode, end: number): number {
  const offset = roundUp(end, INODE_SLOT);
  const next = roundUp(end, BLOCK_SIZE);
  return !isInline(inode, offset) && isInline(inode, next) ? next : offset;
}
