/**
 * Contexts: the files a build may copy from, whatever they come as: a directory, an archive or a Dockerfile on stdin, a
 * URL, a git repository. Each becomes a {@link FileTree} of which only what a COPY names is ever looked at, so a huge
 * `node_modules` beside the sources costs nothing, and nothing is packed, sent or unpacked.
 *
 * directory.ts reads directories, dockerignore.ts hides files of them, archive.ts makes a tree of a tar without
 * unpacking it. sources.ts turns what the user wrote into one of these. hash-files.ts says what files contain, by sha256,
 * and stat-cache.ts remembers it, so that an unchanged file is read once in its life.
 *
 * A tree is a snapshot: what has been looked at is remembered and not looked at again. So a step's key and its layer
 * are of the same files even if the directory changes during the build.
 */
import fs from 'node:fs';
import { errnoOf, TsbuildError } from '../errors.ts';
import { lazily } from '../host/lazily.ts';
import { type HostStat, hostStat, type Lstat, lstatMany } from '../host/lstat.ts';
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

function directoryTree(root: string): FileTree {
  /** By directory and name: most are asked for together with their neighbours. */
  const known = new Map<string, Map<string, FileNode | undefined>>();
  const lists = new Map<string, readonly string[]>();
  const lstat = lstatMany();
  const hostPath = (path: string): string => (path === '' ? root || '/' : `${root}/${path}`);
  const top = lazily(() => readRoot(hostPath('')));

  const knownIn = (directory: string): Map<string, FileNode | undefined> => {
    const nodes = known.get(directory) ?? new Map<string, FileNode | undefined>();
    known.set(directory, nodes);
    return nodes;
  };
  const lookup = (path: string): FileNode | undefined => {
    if (path === '') return top();
    const directory = parentPath(path);
    const name = baseName(path);
    const siblings = knownIn(directory);
    if (siblings.has(name)) return siblings.get(name);
    // The kernel would follow a link on the way, perhaps out of the context.
    const isReachable = lookup(directory)?.type === 'directory';
    const node = isReachable ? readNode(hostPath(path), path, lstat) : undefined;
    siblings.set(name, node);
    return node;
  };
  const list = (path: string): readonly string[] => {
    let names = lists.get(path);
    if (names === undefined) {
      names = lookup(path)?.type === 'directory' ? readDirectory(hostPath(path), path) : [];
      lists.set(path, names);
    }
    return names;
  };
  const nodes = (path: string): readonly (FileNode | undefined)[] => {
    const siblings = knownIn(path);
    const prefix = path === '' ? `${root}/` : `${root}/${path}/`;
    return list(path).map((name) => {
      if (siblings.has(name)) return siblings.get(name);
      const node = readNode(prefix + name, joinPath(path, name), lstat);
      siblings.set(name, node);
      return node;
    });
  };
  return { lookup, list, nodes };
}

/** It may be a link to the context; nothing else is followed. */
function readRoot(hostPath: string): FileNode {
  try {
    return toNode(hostStat(fs.statSync(fsPath(hostPath), { bigint: true })), hostPath);
  } catch (cause) {
    throw unreadable('', cause);
  }
}

function readNode(hostPath: string, path: string, lstat: Lstat): FileNode | undefined {
  try {
    return toNode(lstat(hostPath), hostPath);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return undefined;
    throw unreadable(path, cause);
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
