/**
 * Contexts: the files a build may copy from, whatever they come as: a directory, an archive or a Dockerfile on stdin, a
 * URL, a git repository. Each becomes a {@link FileTree} of which only what a COPY names is ever looked at, so a huge
 * `node_modules` beside the sources costs nothing, and nothing is packed, sent or unpacked.
 *
 * directory.ts reads directories, dockerignore.ts hides files of them, archive.ts makes a tree of a tar without
 * unpacking it. sources.ts turns what the user wrote into one of these. hash-files.ts says what files contain, by sha256,
 * and stat-cache.ts remembers it, so that an unchanged file is read once in its life; stamp.ts says whether a directory as a
 * whole is what it was, which known-contents.ts remembers, so that the files of an unchanged one are not even looked up.
 *
 * A tree is a snapshot: what has been looked at is remembered and not looked at again. So a step's key and its layer
 * are of the same files even if the directory changes during the build.
 */
import fs from 'node:fs';
import { errnoOf, TsbuildError } from '../errors.ts';
import { lazily } from '../host/lazily.ts';
import {
  type HostStat,
  MODE,
  manyStats,
  putStat,
  ROW,
  rowReader,
  type StatRows,
} from '../host/lstat.ts';
import { decodeName, displayName, fsPath } from '../host/path-bytes.ts';
import { readNames } from '../host/read-names.ts';
import { major, minor } from '../host/syscalls.ts';
import {
  baseName,
  type FileNode,
  type FileTree,
  type FileType,
  joinPath,
  parentPath,
} from '../tree/file-tree.ts';
import { filterTree } from '../tree/filter.ts';
import { type IgnoreRules, whyIgnored } from './dockerignore.ts';

/** A node with what tells its content apart from an older one: see stat-cache.ts. */
export interface HostNode extends FileNode {
  readonly identity: FileIdentity;
}

export function isHostNode(node: FileNode): node is HostNode {
  return 'identity' in node;
}

/** Equal while the content is the same. `size` and `mtime` are in the node. */
export interface FileIdentity {
  readonly device: bigint;
  readonly inode: bigint;
  /** Nanoseconds since 1970. */
  readonly ctime: bigint;
}

/**
 * The files of a directory of the host, without those that `ignore` hides. Owners count as 0:0, as for every context:
 * a build does not depend on who checked the sources out. Reads nothing until it is asked.
 * @throws TsbuildError `CONTEXT` if `root` is no directory; later, from its methods, naming what cannot be read.
 */
export function openDirectory(root: string, ignore?: IgnoreRules): FileTree {
  if (!isDirectory(root)) {
    throw new TsbuildError('CONTEXT', `read context ${displayName(root)}: not a directory`);
  }
  const tree = directoryTree(root.replace(/\/+$/, ''));
  const visible = ignore === undefined ? tree : filterTree(tree, { exclude: ignore.patterns });
  const findNamesakes = async (name: string) => {
    // Its package is loaded for errors alone.
    const namesakes = await import('./namesakes.ts');
    const found = await namesakes.findNamesakes(root, name);
    return found.filter((path) => visible.lookup(path) !== undefined);
  };
  if (ignore === undefined) return { ...tree, findNamesakes };
  const whyMissing = (path: string) => tree.lookup(path) && explain(ignore, path);
  return { ...visible, whyMissing, findNamesakes };
}

function explain(ignore: IgnoreRules, path: string): string | undefined {
  const reason = whyIgnored(ignore, path);
  return (
    reason &&
    `Line ${reason.line} of ${reason.file} excludes it: ${reason.pattern}. Add !${displayName(path)} below that.`
  );
}

/** What has been seen of a directory. */
interface Seen {
  /** By name, what was looked up alone. */
  readonly alone: Map<string, { readonly row: StatRows; readonly node: FileNode | undefined }>;
  names?: readonly string[];
  /** What all names are, if somebody asked for that. */
  rows?: StatRows;
  /** Of all names, made of the rows when they are asked for. */
  readonly nodes: (FileNode | undefined)[];
}

function directoryTree(root: string): FileTree {
  const seen = new Map<string, Seen>();
  const readStat = manyStats();
  const statAt = rowReader();
  const hostPath = (path: string): string => (path === '' ? root || '/' : `${root}/${path}`);
  const top = lazily(() => readRoot(hostPath('')));

  /** Zeros if it is not there. */
  const readRow = (path: string, rows: StatRows, row: number): void => {
    try {
      readStat(hostPath(path), rows, row);
    } catch (cause) {
      if (errnoOf(cause) !== 'ENOENT' && errnoOf(cause) !== 'ENOTDIR')
        throw unreadable(path, cause);
    }
  };
  const nodeOf = (path: string, rows: StatRows, row: number): FileNode | undefined =>
    rows[row * ROW + MODE] === 0 ? undefined : toNode(statAt(rows, row), hostPath(path));

  const seenOf = (directory: string): Seen => {
    const found = seen.get(directory) ?? { alone: new Map(), nodes: [] };
    seen.set(directory, found);
    return found;
  };
  const lookup = (path: string): FileNode | undefined => {
    if (path === '') return top();
    const [directory, name] = [parentPath(path), baseName(path)];
    const siblings = seenOf(directory);
    const known = siblings.alone.get(name);
    if (known !== undefined) return known.node;
    if (siblings.rows !== undefined) {
      const at = indexOfSorted(siblings.names!, name);
      return at < 0 ? undefined : nodes(directory)[at];
    }
    const row = new Uint32Array(ROW);
    // The kernel would follow a link on the way, perhaps out of the context.
    if (lookup(directory)?.type === 'directory') readRow(path, row, 0);
    const node = nodeOf(path, row, 0);
    siblings.alone.set(name, { row, node });
    return node;
  };
  const list = (directory: string): readonly string[] => {
    const here = seenOf(directory);
    const isDirectory = () => lookup(directory)?.type === 'directory';
    here.names ??= isDirectory() ? readDirectory(hostPath(directory), directory) : [];
    return here.names;
  };
  const stats = (directory: string): StatRows => {
    const here = seenOf(directory);
    if (here.rows !== undefined) return here.rows;
    const names = list(directory);
    const rows = new Uint32Array(names.length * ROW);
    for (const [at, name] of names.entries()) {
      const known = here.alone.get(name);
      if (known === undefined) readRow(joinPath(directory, name), rows, at);
      else rows.set(known.row, at * ROW);
    }
    here.rows = rows;
    return rows;
  };
  const nodes = (directory: string): readonly (FileNode | undefined)[] => {
    const rows = stats(directory);
    const { names, nodes: found, alone } = seenOf(directory);
    if (found.length === names!.length) return found;
    for (const [at, name] of names!.entries()) {
      const known = alone.get(name);
      found[at] = known === undefined ? nodeOf(joinPath(directory, name), rows, at) : known.node;
    }
    return found;
  };
  return { lookup, list, nodes, stats };
}

/** Where a name is among names sorted by code unit; -1 if it is not there. */
function indexOfSorted(names: readonly string[], name: string): number {
  let [low, high] = [0, names.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (names[middle]! < name) low = middle + 1;
    else high = middle;
  }
  return names[low] === name ? low : -1;
}

/** It may be a link to the context; nothing else is followed. */
function readRoot(hostPath: string): FileNode {
  try {
    const rows = new Uint32Array(ROW);
    putStat(fs.statSync(fsPath(hostPath), { bigint: true }), rows, 0);
    return toNode(rowReader()(rows, 0), hostPath);
  } catch (cause) {
    throw unreadable('', cause);
  }
}

/** Spelled out and without spreads: this is called for each file of a context. */
function toNode(stat: HostStat, hostPath: string): FileNode {
  const { mode: fullMode, mtime, ctime, device, inode: number } = stat;
  const type = typeOf(fullMode);
  const mode = fullMode & 0o7777;
  if (type === 'directory') return { type, mode, uid: 0, gid: 0, size: 0, mtime };
  const inode = stat.links > 1 ? `${device}:${number}` : undefined;
  if (type === 'file') {
    const isSocket = (fullMode & fs.constants.S_IFMT) === fs.constants.S_IFSOCK;
    const { size } = stat;
    const content = isSocket ? { bytes: NOTHING } : { file: hostPath, offset: 0, size, ctime };
    const identity = { device, inode: number, ctime };
    const sha256 = undefined;
    return {
      type,
      mode,
      uid: 0,
      gid: 0,
      size,
      mtime,
      inode,
      content,
      sha256,
      identity,
    } as HostNode;
  }
  const special = { type, mode, uid: 0, gid: 0, size: 0, mtime, inode };
  if (type === 'symlink') {
    const target = fs.readlinkSync(fsPath(hostPath), { encoding: 'buffer' });
    return { ...special, linkTarget: decodeName(target) };
  }
  if (type === 'fifo') return special;
  return { ...special, device: { major: major(stat.special), minor: minor(stat.special) } };
}

const NOTHING = new Uint8Array();

/** A socket means nothing outside the process that bound it; the engine makes it an empty file. */
function typeOf(mode: number): FileType {
  switch (mode & fs.constants.S_IFMT) {
    case fs.constants.S_IFDIR:
      return 'directory';
    case fs.constants.S_IFLNK:
      return 'symlink';
    case fs.constants.S_IFIFO:
      return 'fifo';
    case fs.constants.S_IFBLK:
      return 'block';
    case fs.constants.S_IFCHR:
      return 'char';
    default:
      return 'file';
  }
}

function readDirectory(hostPath: string, path: string): readonly string[] {
  try {
    return readNames(hostPath);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function isDirectory(root: string): boolean {
  try {
    return fs.statSync(root).isDirectory();
  } catch (cause) {
    throw new TsbuildError('CONTEXT', `read context ${displayName(root)}`, { cause });
  }
}

function unreadable(path: string, cause: unknown): TsbuildError {
  const name = displayName(path === '' ? '.' : path);
  return new TsbuildError('CONTEXT', `read ${name} of the context: ${errnoOf(cause) ?? cause}`, {
    cause,
    hint: `Make ${name} readable, or exclude it in .dockerignore.`,
  });
}
