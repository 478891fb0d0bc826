/**
 * What Linux can hold: names and paths in bytes (linux/limits.h; that of a name holds for attributes too), and numbers
 * that the kernel would neither cut short nor take for something else.
 */
import { encodeName } from '../host/path-bytes.ts';
import type { FileNode } from '../tree/file-tree.ts';

export const NAME_MAX = 255;
export const PATH_MAX = 4096;
const XATTR_MAX = 65536;

/** Something of a file to be refused: what it is called, if there is any. */
export function impossibleIn(node: {
  readonly type: FileNode['type'];
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly device?: FileNode['device'] | undefined;
  readonly linkTarget?: string | undefined;
  readonly xattrs?: FileNode['xattrs'] | undefined;
}): string | undefined {
  // The owner 2³²-1 means "leave as it is".
  if (!isBelow(node.uid, 0xffff_ffff) || !isBelow(node.gid, 0xffff_ffff)) return 'owner';
  if (node.device !== undefined && !isDevice(node.device)) return 'device number';
  if (node.type === 'symlink' && !isText(node.linkTarget ?? '', PATH_MAX)) return 'link target';
  if (!isBelow(node.size, Number.MAX_SAFE_INTEGER)) return 'size';
  return node.xattrs === undefined || areXattrs(node.xattrs) ? undefined : 'attribute';
}

function isDevice({ major, minor }: NonNullable<FileNode['device']>): boolean {
  return isBelow(major, 1 << 12) && isBelow(minor, 1 << 20);
}

function areXattrs(xattrs: NonNullable<FileNode['xattrs']>): boolean {
  return Object.entries(xattrs).every(
    ([name, value]) => isText(name, NAME_MAX + 1) && value.length <= XATTR_MAX,
  );
}

function isBelow(value: number, limit: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < limit;
}

/** What C can hold as a string in that many bytes. */
function isText(text: string, limit: number): boolean {
  return text !== '' && !text.includes('\0') && encodeName(text).length < limit;
}
