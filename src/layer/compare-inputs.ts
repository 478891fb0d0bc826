/**
 * Whether inputs would give a layer that is there already, told by its index: equal inputs give equal bytes. A COPY whose
 * files are what they were is executed again whenever something before it has changed.
 */
import { type FileNode, joinPath } from '../tree/file-tree.ts';
import { type Columns, HASH_BYTES, KINDS, NO_ORDER, nameOf, OPAQUE_FLAG } from './columns.ts';
import { extraOf } from './index-extra.ts';
import type { LayerInput } from './layer.ts';
import { clampedTime, latestTime } from './tar-layout.ts';

/**
 * Whether `writeLayer` would give the layer of `columns`. It may say no where it would: where there are hard links, devices,
 * extended attributes or deletions, or a content whose digest is not known, nobody looks closer.
 */
export function wouldGive(
  columns: Columns,
  inputs: readonly LayerInput[],
  { sourceDateEpoch }: { readonly sourceDateEpoch?: number | undefined } = {},
): boolean {
  const records = recordsInOrder(columns);
  if (records.length !== inputs.length) return false;
  const latest = latestTime(sourceDateEpoch);
  const pathOf = pathReader(columns);
  const inodes = new Set<string>();
  // Numbers first: mostly they tell, and names and digests take ten times as long.
  return (
    inputs.every(
      (input, n) =>
        'node' in input &&
        !input.opaque &&
        sameAttributes(columns, records[n]!, input.node, latest) &&
        !isLink(input.node, inodes),
    ) &&
    inputs.every(
      (input, n) =>
        'node' in input &&
        input.path === pathOf(records[n]!) &&
        sameDigest(columns, records[n]!, input.node),
    )
  );
}

/** Where the tar has them, those that it has. */
function recordsInOrder({ count, order }: Columns): Uint32Array {
  const records = new Uint32Array(count);
  let present = 0;
  for (let record = 0; record < count; record += 1) {
    if (order[record] === NO_ORDER) continue;
    records[order[record]!] = record;
    present += 1;
  }
  return records.subarray(0, present);
}

/** Those of one directory mostly come one after the other. */
function pathReader(columns: Columns): (record: number) => string {
  const directories = new Map([[0, '']]);
  const directoryPath = (record: number): string => {
    const path = directories.get(record) ?? readPath(record);
    directories.set(record, path);
    return path;
  };
  const readPath = (record: number): string =>
    record === 0 ? '' : joinPath(directoryPath(columns.parent[record]!), nameOf(columns, record));
  return readPath;
}

function sameAttributes(
  columns: Columns,
  record: number,
  node: FileNode,
  latest: bigint | undefined,
): boolean {
  const { linkTarget, device, xattrs } = extraOf(columns, record);
  return (
    KINDS[columns.kind[record]!] === node.type &&
    columns.mode[record] === node.mode &&
    columns.uid[record] === node.uid &&
    columns.gid[record] === node.gid &&
    columns.size[record] === node.size &&
    columns.mtime[record] === clampedTime(node.mtime, latest) &&
    columns.inode[record] === 0 &&
    (columns.flags[record]! & OPAQUE_FLAG) === 0 &&
    linkTarget === node.linkTarget &&
    (device ?? node.device ?? xattrs ?? node.xattrs) === undefined
  );
}

/** Whether an input before it is the same file. */
function isLink({ inode }: FileNode, inodes: Set<string>): boolean {
  if (inode === undefined) return false;
  if (inodes.has(inode)) return true;
  inodes.add(inode);
  return false;
}

function sameDigest({ sha256 }: Columns, record: number, node: FileNode): boolean {
  if (node.type !== 'file' || node.size === 0) return true;
  const [start, end] = [record * HASH_BYTES, (record + 1) * HASH_BYTES];
  // Zeros, where the index does not know it.
  return sha256.toString('hex', start, end) === node.sha256;
}
