/**
 * FileTree is the one way to look at files, whatever holds them: a context directory, a stack of layers, an archive,
 * a git checkout. COPY, ADD, `USER` lookup and `--from` are written once, against it.
 *
 * It is synchronous and its nodes are plain data, so that 20,000 of them cost no promise, and so that a list of them can
 * be handed to a worker thread. Opening is not a method: a file's bytes are always a range of a file on this host (the
 * context's own file, or a layer's tar) or a small buffer, and a node says which.
 *
 * Paths are relative to the tree's root, separated by single slashes, without leading or trailing slash, without `.`
 * and `..`; the root is ''. Names are bytes kept as strings, see host/path-bytes.ts. Nothing here follows a symlink:
 * resolve.ts does, and never out of the root.
 */
import type { StatRows } from '../host/lstat.ts';

export interface FileTree {
  /** The node at `path` itself (lstat), or `undefined`. Parents that are symlinks are not followed: not found. */
  lookup(path: string): FileNode | undefined;
  /** Names in a directory, sorted by code unit; empty if `path` is not a directory. */
  list(path: string): readonly string[];
  /** The nodes at the names of `list`, in that order, if the tree finds them quicker together. */
  nodes?(path: string): readonly (FileNode | undefined)[];
  /** What the host says of the names of `list`, in that order, if this is a directory of the host: all that there is to know of them. */
  stats?(path: string): StatRows;
  /** A sentence on why there is nothing at `path`, if the tree knows: a rule hides it. For hints in errors. */
  whyMissing?(path: string): string | undefined;
  /** Some of the paths whose last component is `name`, perhaps in another case, if the tree can look for them quickly. For hints. */
  findNamesakes?(name: string): Promise<readonly string[]>;
}

export type FileType = 'file' | 'directory' | 'symlink' | 'char' | 'block' | 'fifo';

export interface FileNode {
  readonly type: FileType;
  /** Permission bits with setuid, setgid and sticky: 0…0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of a file's content; 0 for everything else. */
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  /** Target of a symlink, as stored. */
  readonly linkTarget?: string;
  /** Of a char or block device. */
  readonly device?: { readonly major: number; readonly minor: number };
  readonly xattrs?: Readonly<Record<string, Uint8Array>>;
  /** Of a file: where the bytes are. */
  readonly content?: Content;
  /** Of a file: sha256 of the bytes in hex, when it is known; who reads the file may add it. */
  sha256?: string | undefined;
  /** Files of one tree with the same (defined) inode are hard links of each other. */
  readonly inode?: string;
}

/** Where bytes are: a range of a file on this host, or themselves. Plain data, so workers can have it. */
export type Content = FileRange | { readonly bytes: Uint8Array };

export interface FileRange {
  readonly file: string;
  readonly offset: number;
  readonly size: number;
  /** Of a whole file that is not ours, in nanoseconds since 1970: with another one, it is not the file that was looked at. */
  readonly ctime?: bigint;
}

/** `a/b` and `c` to `a/b/c`; the root is ''. */
export function joinPath(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

/** The directory that holds `path`; '' for names in the root and for the root itself. */
export function parentPath(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Lexically cleaned, in the form of tree paths: no leading slash, no `.`; `..` stops at the root. */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/** A tree without files. */
export const EMPTY_TREE: FileTree = {
  lookup: (path) => (path === '' ? EMPTY_ROOT : undefined),
  list: () => [],
};

const EMPTY_ROOT: FileNode = { type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 0n };
