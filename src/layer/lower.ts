/**
 * What overlayfs must find in a lower directory that stands for one layer: every path with its parents, deletions as
 * overlayfs wants them. The directory form (apply.ts) is made from this list, and rests on what is checked here: an
 * index may come from a hostile tar. EROFS has the same from the index itself (check-records.ts, erofs-inode.ts), so
 * that both forms hold the same files.
 *
 * - A whiteout is a character device 0:0, an opaque directory has the xattr `overlay.opaque` in the namespace that
 *   the mount reads (https://docs.kernel.org/filesystems/overlayfs.html#whiteouts-and-opaque-directories).
 * - A directory that the layer has not, but that its paths lie in, is implicit: made with plain attributes.
 * - The layer's own xattrs `overlay.*` are dropped: they would steer the mount, not describe a file.
 */
import { TsbuildError } from '../errors.ts';
import { displayName, encodeName } from '../host/path-bytes.ts';
import { type FileNode, parentPath } from '../tree/file-tree.ts';
import type { Extra } from './index-extra.ts';
import type { LayerEntry, LayerIndex } from './layer.ts';
import { impossibleExtra, impossibleNumber, NAME_MAX, PATH_MAX } from './limits.ts';

export interface LowerEntry {
  /** As in a FileTree: '' is the root. */
  readonly path: string;
  readonly node: FileNode;
  readonly opaque: boolean;
  /** Not in the layer: a directory that must exist because paths of the layer lie in it. */
  readonly implicit: boolean;
}

const IMPLICIT: FileNode = { type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 0n };
const WHITEOUT: FileNode = { ...IMPLICIT, type: 'char', mode: 0, device: { major: 0, minor: 0 } };

/**
 * All entries, the root first and each directory before what lies in it; otherwise in the order of the tar.
 * @throws TsbuildError `ARCHIVE` for a path that Linux cannot hold, or that lies below what is not a directory.
 */
export function lowerEntries(index: LayerIndex): LowerEntry[] {
  const lower = new Map<string, LowerEntry>();
  placeDirectory('', index, lower);
  for (const entry of index.entries.values()) {
    if (lower.has(entry.path)) continue;
    checkPath(entry.path);
    if ('node' in entry) checkNode(entry.path, entry.node);
    placeParents(entry.path, index, lower);
    lower.set(entry.path, lowerEntry(entry));
  }
  return [...lower.values()];
}

export function isWhiteout(node: FileNode): boolean {
  return node.type === 'char' && node.device?.major === 0 && node.device.minor === 0;
}

/** The xattrs to be set on an entry: its own without `overlay.*`, and the mark of an opaque directory. */
export function lowerXattrs(
  { node, opaque }: { readonly node: Extra; readonly opaque: boolean },
  namespace: 'trusted' | 'user',
): readonly Xattr[] {
  if (node.xattrs === undefined && !opaque) return NONE;
  const own = Object.entries(node.xattrs ?? {});
  const xattrs = own.filter(([name]) => !/^(trusted|user)\.overlay\./.test(name));
  return opaque ? [...xattrs, [`${namespace}.overlay.opaque`, OPAQUE]] : xattrs;
}

type Xattr = readonly [name: string, value: Uint8Array];
const NONE: readonly Xattr[] = [];
const OPAQUE = Buffer.from('y');

function placeParents(path: string, index: LayerIndex, lower: Map<string, LowerEntry>): void {
  const parent = parentPath(path);
  if (lower.get(parent)?.node.type === 'directory') return;
  placeParents(parent, index, lower);
  placeDirectory(parent, index, lower);
}

/** Something lies in `path`, so a directory it must be. */
function placeDirectory(path: string, index: LayerIndex, lower: Map<string, LowerEntry>): void {
  const entry = index.entries.get(path);
  if (entry === undefined || ('whiteout' in entry && path !== '')) {
    // Deleted and filled again by one layer, without an entry for the new directory: what was below is gone.
    lower.set(path, { path, node: IMPLICIT, opaque: entry !== undefined, implicit: true });
  } else if ('node' in entry && entry.node.type === 'directory') {
    checkNode(path, entry.node);
    lower.set(path, lowerEntry(entry));
  } else {
    // The attack: `a` is a symlink to /etc, and `a/passwd` is to be written through it.
    const name = displayName(path) || 'the root';
    throw new TsbuildError('ARCHIVE', `${name} is not a directory, but has entries below it`);
  }
}

function lowerEntry(entry: LayerEntry): LowerEntry {
  return 'whiteout' in entry
    ? { path: entry.path, node: WHITEOUT, opaque: false, implicit: false }
    : { implicit: false, opaque: false, ...entry };
}

function checkPath(path: string): void {
  const names = path.split('/');
  const isSafe = names.every((name) => name !== '' && name !== '.' && name !== '..');
  if (!isSafe || path.includes('\0')) {
    throw new TsbuildError('ARCHIVE', `${JSON.stringify(path)} is not a clean path`);
  }
  // A code unit is at least one byte and at most three, so most paths need no counting.
  if (path.length * 3 <= NAME_MAX) return;
  if (
    names.some((name) => encodeName(name).length > NAME_MAX) ||
    encodeName(path).length >= PATH_MAX
  ) {
    throw new TsbuildError(
      'ARCHIVE',
      `${displayName(path.slice(0, 100))}… is longer than a path can be`,
    );
  }
}

function checkNode(path: string, node: FileNode): void {
  const problem =
    impossibleNumber(node.uid, node.gid, node.size) ??
    impossibleExtra(node, node.type === 'symlink');
  if (problem === undefined) return;
  throw new TsbuildError(
    'ARCHIVE',
    `${displayName(path) || 'the root'} has an impossible ${problem}`,
  );
}
