/** Modes, times and extended attributes of files in a directory of the caller's, and what is neither file nor directory. */
import fs from 'node:fs';
import { errnoOf } from '../errors.ts';
import { lsetxattr, makedev, mknod, S_IFBLK, S_IFCHR, S_IFIFO } from '../host/syscalls.ts';
import type { FileNode } from '../tree/file-tree.ts';

type Path = string | Buffer;

/** Through the open file, so that nothing else can be meant. */
export function setFileAttributes(fd: number, path: Path, node: FileNode): void {
  setXattrs(path, node);
  fs.fchmodSync(fd, node.mode);
  const time = seconds(node);
  fs.futimesSync(fd, time, time);
}

export function setAttributes(path: Path, node: FileNode): void {
  setXattrs(path, node);
  if (node.type !== 'symlink') fs.chmodSync(path, node.mode);
  const time = seconds(node);
  fs.lutimesSync(path, time, time);
}

const SPECIAL = { fifo: S_IFIFO, char: S_IFCHR, block: S_IFBLK };

export function makeSpecial(path: Path, node: FileNode): void {
  const { type, device } = node;
  if (type === 'file' || type === 'directory' || type === 'symlink')
    throw new TypeError(`${type} is not special`);
  mknod(path, SPECIAL[type], device === undefined ? 0 : makedev(device.major, device.minor));
}

/** What this filesystem or this user cannot have is left out: the files are taken out of the image here anyway. */
function setXattrs(path: Path, node: FileNode): void {
  for (const [name, value] of Object.entries(node.xattrs ?? {})) {
    try {
      lsetxattr(path, name, value);
    } catch (error) {
      if (!['ENOTSUP', 'EOPNOTSUPP', 'EPERM'].includes(errnoOf(error) ?? '')) throw error;
    }
  }
}

function seconds(node: FileNode): number {
  return Number(node.mtime / 1_000n) / 1e6;
}
