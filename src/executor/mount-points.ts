/**
 * Places in a root filesystem on which something will be mounted. The runtime would make what is missing, and the
 * step's layer would hold it. So we make it, with as little trace as possible, and take it away afterwards, unless
 * the container has put something there. What stays is what stays with Docker: /dev, /proc and /sys.
 */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { decodeName, fsPath } from '../host/path-bytes.ts';
import { lchown, utimens } from '../host/syscalls.ts';
import {
  EMPTY_TREE,
  type FileNode,
  type FileTree,
  joinPath,
  parentPath,
} from '../tree/file-tree.ts';
import { resolvePath } from '../tree/resolve.ts';

export interface MountPoint {
  /** Absolute, in the container. */
  readonly target: string;
  readonly type: 'directory' | 'file';
  /** Of the place, if it must be made: runc gives a tmpfs the mode of the directory that it hides. */
  readonly mode?: number;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Something made: a path in the root, and when its directory had last changed before. */
interface Made {
  readonly path: string;
  readonly type: 'directory' | 'file';
  readonly parentTime: bigint;
}

/**
 * Makes what is missing of `points`, in the order in which they will be mounted, and returns a function that takes away what
 * is still as it was made.
 */
export function placeMountPoints(root: string, points: readonly MountPoint[]): () => void {
  const made: Made[] = [];
  for (const [at, point] of points.entries()) {
    const { target, type, mode = type === 'directory' ? 0o755 : 0o644 } = point;
    if (isInside(target, points.slice(0, at))) continue;
    const path = resolvePath(diskTree(root), target, { followLast: true }).path;
    const parents = missingParents(root, path);
    for (const parent of parents) made.push(make(root, parent, 'directory', 0o755));
    if (stat(root, path) === undefined) made.push(make(root, path, type, mode));
  }
  // Docker leaves them, unless they were made for a mount inside.
  const isKept = (path: string) => KEPT.includes(path) && !hasInside(`/${path}`, points);
  return () => {
    for (const item of made.toReversed()) if (!isKept(item.path)) takeAway(root, item);
  };
}

/** Makes a working directory that is missing, with all above it. */
export function placeDirectory(root: string, target: string, owner: Owner): void {
  const path = resolvePath(diskTree(root), target, { followLast: true }).path;
  for (const missing of [...missingParents(root, path), path]) {
    if (stat(root, missing) !== undefined) continue;
    mkdirSync(at(root, missing), { mode: 0o755 });
    lchown(at(root, missing), owner.uid, owner.gid);
  }
}

/** The place on the host of a path in `root`, symlinks followed as in a chroot; `undefined` if there is nothing. */
export function locateInside(
  root: string,
  path: string,
): { file: string; type: MountPoint['type'] } | undefined {
  const { path: resolved, node } = resolvePath(diskTree(root), path, { followLast: true });
  if (node === undefined) return undefined;
  return { file: `${root}/${resolved}`, type: node.type === 'directory' ? 'directory' : 'file' };
}

/** Whether `target` lies in what another mount brings along. */
export function isInside(target: string, points: readonly MountPoint[]): boolean {
  return points.some((other) => target.startsWith(`${other.target.replace(/\/+$/, '')}/`));
}

function hasInside(directory: string, points: readonly MountPoint[]): boolean {
  return points.some(({ target }) => target.startsWith(`${directory}/`));
}

const KEPT = ['dev', 'proc', 'sys'];

function make(root: string, path: string, type: Made['type'], mode: number): Made {
  const parent = parentPath(path);
  const parentTime = lstatSync(at(root, parent), { bigint: true }).mtimeNs;
  if (type === 'directory') mkdirSync(at(root, path));
  else writeFileSync(at(root, path), '', { flag: 'wx' });
  chmodSync(at(root, path), mode);
  setTime(root, parent, parentTime);
  return { path, type, parentTime };
}

function takeAway(root: string, { path, type, parentTime }: Made): void {
  const now = stat(root, path);
  const isAsMade =
    type === 'directory'
      ? now?.isDirectory() && isEmpty(root, path)
      : now?.isFile() && now.size === 0n;
  if (!isAsMade) return;
  const parent = parentPath(path);
  const untouched = stat(root, parent)?.mtimeNs === parentTime;
  if (type === 'directory') rmdirSync(at(root, path));
  else unlinkSync(at(root, path));
  if (untouched) setTime(root, parent, parentTime);
}

function missingParents(root: string, path: string): string[] {
  const missing: string[] = [];
  for (let parent = parentPath(path); parent !== ''; parent = parentPath(parent)) {
    if (stat(root, parent) === undefined) missing.unshift(parent);
  }
  return missing;
}

function setTime(root: string, path: string, time: bigint): void {
  utimens(at(root, path), time / 1_000_000_000n, Number(time % 1_000_000_000n));
}

function isEmpty(root: string, path: string): boolean {
  return readdirSync(at(root, path)).length === 0;
}

function stat(root: string, path: string) {
  return lstatSync(at(root, path), { bigint: true, throwIfNoEntry: false });
}

function at(root: string, path: string): string | Buffer {
  return fsPath(joinPath(root, path));
}

/** Just what resolvePath asks for. */
function diskTree(root: string): FileTree {
  return {
    list: () => [],
    lookup: (path): FileNode | undefined => {
      const found = stat(root, path);
      if (found === undefined) return undefined;
      const type = found.isSymbolicLink() ? 'symlink' : found.isDirectory() ? 'directory' : 'file';
      const base = EMPTY_TREE.lookup('')!;
      if (type !== 'symlink') return { ...base, type };
      return { ...base, type, linkTarget: decodeName(readlinkSync(at(root, path), 'buffer')) };
    },
  };
}
