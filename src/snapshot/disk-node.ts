/** A file on this host's disk as a FileNode, with everything that a layer can hold of it. */
import { constants, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { decodeName, fsPath } from '../host/path-bytes.ts';
import { lgetxattr, llistxattr, major, minor } from '../host/syscalls.ts';
import type { FileNode, FileType } from '../tree/file-tree.ts';

/** The node at `file`; `undefined` for a socket, which belongs to a running process and to no layer. */
export function readDiskNode(file: string): FileNode | undefined {
  const path = fsPath(file);
  const stat = lstatSync(path, { bigint: true });
  const type = FILE_TYPES.get(Number(stat.mode) & constants.S_IFMT);
  if (type === undefined) return undefined;
  const size = type === 'file' ? Number(stat.size) : 0;
  const xattrs = readXattrs(path);
  return {
    type,
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size,
    mtime: stat.mtimeNs,
    ...(type === 'file' ? { content: { file, offset: 0, size } } : {}),
    ...(type === 'symlink' ? { linkTarget: decodeName(readlinkSync(path, 'buffer')) } : {}),
    ...(type === 'char' || type === 'block'
      ? { device: { major: major(stat.rdev), minor: minor(stat.rdev) } }
      : {}),
    ...(type !== 'directory' && stat.nlink > 1n ? { inode: String(stat.ino) } : {}),
    ...(xattrs === undefined ? {} : { xattrs }),
  };
}

/** The names in a directory, sorted by code unit. */
export function readDiskNames(directory: string): string[] {
  return readdirSync(fsPath(directory), 'buffer').map(decodeName).sort();
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
