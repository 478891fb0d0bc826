/** A file on this host's disk as a FileNode, with everything that a layer can hold of it. */
import { constants, readlinkSync } from 'node:fs';
import { type Lstat, lstatMany } from '../host/lstat.ts';
import { decodeName, fsPath } from '../host/path-bytes.ts';
import { lgetxattr, llistxattr, major, minor } from '../host/syscalls.ts';
import type { FileNode, FileType } from '../tree/file-tree.ts';

/** The node at `file`; `undefined` for a socket, which belongs to a running process and to no layer. */
export function readDiskNode(file: string, lstat: Lstat = lstatMany()): FileNode | undefined {
  const stat = lstat(file);
  const type = FILE_TYPES.get(stat.mode & constants.S_IFMT);
  if (type === undefined) return undefined;
  const path = fsPath(file);
  const isFile = type === 'file';
  const size = isFile ? stat.size : 0;
  const xattrs = readXattrs(path);
  // Files are most of all, and spelled out: a spread takes as long as a system call.
  const node: FileNode = {
    type,
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    size,
    mtime: stat.mtime,
    content: isFile ? { file, offset: 0, size } : undefined,
    inode: type !== 'directory' && stat.links > 1 ? String(stat.inode) : undefined,
    xattrs,
  };
  if (type === 'symlink') return { ...node, linkTarget: decodeName(readlinkSync(path, 'buffer')) };
  if (type !== 'char' && type !== 'block') return node;
  return { ...node, device: { major: major(stat.special), minor: minor(stat.special) } };
}

const FILE_TYPES: ReadonlyMap<number, FileType> = new Map([
  [constants.S_IFREG, 'file'],
  [constants.S_IFDIR, 'directory'],
  [constants.S_IFLNK, 'symlink'],
  [constants.S_IFCHR, 'char'],
  [constants.S_IFBLK, 'block'],
  [constants.S_IFIFO, 'fifo'],
]);

function readXattrs(path: string | Buffer): Record<string, Uint8Array> | undefined {
  let found: Record<string, Uint8Array> | undefined;
  for (const name of llistxattr(path).sort()) {
    const value = travels(name) ? lgetxattr(path, name) : undefined;
    if (value !== undefined) found = { ...found, [name]: value };
  }
  return found;
}

/**
 * Whether an xattr says something about the file wherever it is. Labels of this host's security modules and the
 * notes of overlayfs do not.
 */
function travels(name: string): boolean {
  if (name.startsWith('trusted.overlay.') || name.startsWith('user.overlay.')) return false;
  return (
    name.startsWith('user.') ||
    name.startsWith('trusted.') ||
    name.startsWith('system.posix_acl_') ||
    name === 'security.capability'
  );
}
