/**
 * The directory form of a layer: its tar unpacked once into a directory that overlayfs can use as a lower. The price
 * is a file created for each file of the layer, so it is paid only where EROFS cannot be mounted (erofs.ts), which
 * in practice means: without root, on an old kernel, or with the store on an overlay.
 *
 * Runs in the executor, as root of its namespace. The target is a new directory of ours alone, filled from the
 * checked list of lower.ts: every directory on the way to a file was made here, so no symlink of the layer is ever
 * followed.
 *
 * In a user namespace some things cannot be made. Devices are left out (as Docker and Podman do), `trusted.*`
 * attributes too: neither has any effect in there. An owner that is not mapped is an error: to ignore it would
 * change who may read.
 */
import { chmodSync, closeSync, linkSync, mkdirSync, openSync, symlinkSync } from 'node:fs';
import { errnoOf, isTsbuildError, TsbuildError } from '../errors.ts';
import { diskError } from '../host/disk-error.ts';
import { displayName, fsPath } from '../host/path-bytes.ts';
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
import type { FileNode } from '../tree/file-tree.ts';
import { type ContentCopier, openContentCopier } from './content-copier.ts';
import type { LayerIndex } from './layer.ts';
import { isWhiteout, type LowerEntry, lowerEntries, lowerXattrs } from './lower.ts';

export interface ApplyOptions {
  /** In a user namespace: `user.overlay.*` marks, no devices, no `trusted.*`. */
  readonly rootless: boolean;
  /** Told once for each kind of thing that could not be made. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

interface Target extends ApplyOptions {
  readonly directory: string;
  readonly content: ContentCopier;
  /** Inode to the path that was made first for it. */
  readonly linked: Map<string, string>;
  readonly warned: Set<string>;
}

/**
 * Fills `directory`, which exists, is empty, and is written to by nobody else, with what `index` says.
 * @throws TsbuildError `ARCHIVE` for an entry that cannot be, `DISK_FULL`, `UNSUPPORTED_HOST`, `STORE`. What was made
 * until then stays, for the caller to remove.
 */
export function applyLayer(index: LayerIndex, directory: string, options: ApplyOptions): void {
  const entries = lowerEntries(index);
  const content = openContentCopier();
  const target: Target = { ...options, directory, content, linked: new Map(), warned: new Set() };
  try {
    for (const entry of entries) {
      wrapErrors(entry, () => make(entry, target));
    }
    // Last and from the leaves up: filling a directory changes its time, and its mode or owner may forbid to fill it.
    for (const entry of entries.reverse()) {
      if (entry.node.type === 'directory') wrapErrors(entry, () => setAttributes(entry, target));
    }
  } finally {
    content.close();
  }
}

function make(entry: LowerEntry, target: Target): void {
  const { node } = entry;
  const path = pathIn(target, entry.path);
  if (node.type === 'directory') {
    if (entry.path !== '') mkdirSync(path, 0o700);
    return;
  }
  const first = node.inode === undefined ? undefined : target.linked.get(node.inode);
  if (first !== undefined) {
    linkSync(pathIn(target, first), path);
    return;
  }
  if (target.rootless && isDevice(node) && !isWhiteout(node)) {
    warnOnce(
      target,
      'device',
      `device nodes are left out without root, first ${displayName(entry.path)}`,
    );
    return;
  }
  makeNode(node, path, target);
  if (node.inode !== undefined) target.linked.set(node.inode, entry.path);
  setAttributes(entry, target);
}

function makeNode(node: FileNode, path: string | Buffer, target: Target): void {
  const device = makedev(node.device?.major ?? 0, node.device?.minor ?? 0);
  switch (node.type) {
    case 'file':
      makeFile(node, path, target);
      break;
    case 'symlink':
      symlinkSync(fsPath(node.linkTarget ?? ''), path);
      break;
    case 'fifo':
      mknod(path, S_IFIFO);
      break;
    case 'char':
      mknod(path, S_IFCHR, device);
      break;
    case 'block':
      mknod(path, S_IFBLK, device);
      break;
  }
}

function makeFile(node: FileNode, path: string | Buffer, target: Target): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    if (node.content !== undefined) target.content.copy(node.content, fd);
  } finally {
    closeSync(fd);
  }
}

/** Owner first: changing it clears setuid and file capabilities (chown(2)). Time last: all else could change it. */
function setAttributes(entry: LowerEntry, target: Target): void {
  const { node } = entry;
  const path = pathIn(target, entry.path);
  lchown(path, node.uid, node.gid);
  for (const [name, value] of lowerXattrs(entry, target.rootless ? 'user' : 'trusted')) {
    setXattr(entry, name, value, target);
  }
  if (node.type !== 'symlink') chmodSync(path, node.mode);
  const nanoseconds = Number(((node.mtime % SECOND) + SECOND) % SECOND);
  utimens(path, (node.mtime - BigInt(nanoseconds)) / SECOND, nanoseconds);
}

const SECOND = 1_000_000_000n;

/**
 * Not every filesystem takes every attribute, and a namespace's root may not set all; a layer is still usable then.
 */
function setXattr(entry: LowerEntry, name: string, value: Uint8Array, target: Target): void {
  if (target.rootless && name.startsWith('trusted.')) return;
  try {
    lsetxattr(pathIn(target, entry.path), name, value);
  } catch (error) {
    const code = errnoOf(error) ?? '';
    // ext4 has one block for all attributes of a file, and calls it a lack of space if one is longer.
    const isRefused = REFUSALS.has(code) || (code === 'ENOSPC' && value.length > 1000);
    if (!isRefused || name.includes('.overlay.')) throw error;
    warnOnce(
      target,
      name,
      `the attribute ${name} cannot be set here, first on ${displayName(entry.path)}`,
    );
  }
}

const REFUSALS: ReadonlySet<string> = new Set([
  'ENOTSUP',
  'EOPNOTSUPP',
  'EPERM',
  'EINVAL',
  'E2BIG',
]);

function isDevice(node: FileNode): boolean {
  return node.type === 'char' || node.type === 'block';
}

function pathIn(target: Target, path: string): string | Buffer {
  return fsPath(path === '' ? target.directory : `${target.directory}/${path}`);
}

function warnOnce(target: Target, kind: string, message: string): void {
  if (target.warned.has(kind)) return;
  target.warned.add(kind);
  target.onWarning?.(message);
}

function wrapErrors(entry: LowerEntry, action: () => void): void {
  try {
    action();
  } catch (cause) {
    const what = `unpack ${displayName(entry.path) || 'the root directory'}`;
    const code = errnoOf(cause);
    // The only call here to which the numbers of an owner can be wrong.
    if (
      code === 'EINVAL' &&
      cause instanceof Error &&
      'syscall' in cause &&
      cause.syscall === 'lchown'
    ) {
      const owner = `${entry.node.uid}:${entry.node.gid}`;
      throw new TsbuildError(
        'UNSUPPORTED_HOST',
        `${what}: no id of this user stands for owner ${owner}`,
        {
          cause,
          hint: 'give this user a larger range in /etc/subuid and /etc/subgid',
        },
      );
    }
    if (isTsbuildError(cause))
      throw new TsbuildError(cause.code, `${what}: ${cause.message}`, { cause });
    throw diskError(cause, what, code === 'ENAMETOOLONG' ? 'ARCHIVE' : 'STORE');
  }
}
