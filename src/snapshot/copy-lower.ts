/** Applies a lower directory to a root filesystem, as overlayfs would show it on top. */
import {
  chmodSync,
  constants,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { fsPath } from '../host/path-bytes.ts';
import {
  lchown,
  lsetxattr,
  makedev,
  mknod,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  utimens,
} from '../host/syscalls.ts';
import { type FileNode, joinPath } from '../tree/file-tree.ts';
import { readDiskNames, readDiskNode } from './disk-node.ts';
import { isOpaque, isWhiteout } from './marks.ts';

/** `root` is a directory that nobody else writes to: no symlink in it is followed, since each path is made here. */
export function copyLower(lower: string, root: string): void {
  copyDirectory({ lower, root, links: new Map() }, '');
}

interface Copy {
  readonly lower: string;
  readonly root: string;
  /** Inode to the path that was made first for it. */
  readonly links: Map<string, string>;
}

function copyDirectory(copy: Copy, directory: string): void {
  for (const name of readDiskNames(`${copy.lower}/${directory}`)) {
    const path = joinPath(directory, name);
    const node = readDiskNode(`${copy.lower}/${path}`);
    if (node !== undefined) copyPath(copy, path, node);
  }
  // Last: filling a directory changes its time.
  setAttributes(`${copy.root}/${directory}`, readDiskNode(`${copy.lower}/${directory}`)!);
}

function copyPath(copy: Copy, path: string, node: FileNode): void {
  const target = `${copy.root}/${path}`;
  const isMerged =
    node.type === 'directory' && isDirectory(target) && !isOpaque(`${copy.lower}/${path}`);
  if (!isMerged) rmSync(fsPath(target), { recursive: true, force: true });
  if (isWhiteout(node)) return;
  if (node.type === 'directory') {
    if (!isMerged) mkdirSync(fsPath(target));
    copyDirectory(copy, path);
    return;
  }
  const first = node.inode === undefined ? undefined : copy.links.get(node.inode);
  if (first !== undefined) {
    linkSync(fsPath(first), fsPath(target));
    return;
  }
  makeNode(`${copy.lower}/${path}`, target, node);
  setAttributes(target, node);
  if (node.inode !== undefined) copy.links.set(node.inode, target);
}

function makeNode(source: string, target: string, node: FileNode): void {
  const path = fsPath(target);
  const device = makedev(node.device?.major ?? 0, node.device?.minor ?? 0);
  if (node.type === 'file') copyFileSync(fsPath(source), path, constants.COPYFILE_FICLONE);
  else if (node.type === 'symlink') symlinkSync(fsPath(node.linkTarget ?? ''), path);
  else if (node.type === 'fifo') mknod(path, S_IFIFO);
  else mknod(path, node.type === 'char' ? S_IFCHR : S_IFBLK, device);
}

/** Owner first, since changing it clears setuid and file capabilities; time last. */
function setAttributes(target: string, node: FileNode): void {
  const path = fsPath(target);
  lchown(path, node.uid, node.gid);
  for (const [name, value] of Object.entries(node.xattrs ?? {})) lsetxattr(path, name, value);
  if (node.type !== 'symlink') chmodSync(path, node.mode);
  const nanoseconds = ((node.mtime % SECOND) + SECOND) % SECOND;
  utimens(path, (node.mtime - nanoseconds) / SECOND, Number(nanoseconds));
}

const SECOND = 1_000_000_000n;

function isDirectory(path: string): boolean {
  return lstatSync(fsPath(path), { throwIfNoEntry: false })?.isDirectory() ?? false;
}
