/**
 * What Linux can hold: names and paths in bytes (linux/limits.h; that of a name holds for attributes too), and numbers
 * that the kernel would neither cut short nor take for something else.
 */
import { encodeName } from '../host/path-bytes.ts';
import type { Extra } from './index-extra.ts';

export const NAME_MAX = 255;
export const PATH_MAX = 4096;
const XATTR_MAX = 65536;

/** What is wrong with a file's numbers, if anything is. The owner 2³²-1 means "leave as it is". */
export function impossibleNumber(uid: number, gid: number, size: number): string | undefined {
  if (!isBelow(uid, 0xffff_ffff) || !isBelow(gid, 0xffff_ffff)) return 'owner';
  return isBelow(size, Number.MAX_SAFE_INTEGER) ? undefined : 'size';
}

/** What is wrong with the rest of it. */
export function impossibleExtra(node: Extra, isSymlink: boolean): string | undefined {
  if (node.device !== undefined && !isDevice(node.device)) return 'device number';
  if (isSymlink && !isText(node.linkTarget ?? '', PATH_MAX)) return 'link target';
  return node.xattrs === undefined || areXattrs(node.xattrs) ? undefined : 'attribute';
}

function isDevice({ major, minor }: NonNullable<Extra['device']>): boolean {
  return isBelow(major, 1 << 12) && isBelow(minor, 1 << 20);
}

function areXattrs(xattrs: NonNullable<Extra['xattrs']>): boolean {
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
