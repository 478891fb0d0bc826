/**
 * A tree that can be written to: the files of another, and on them what was put there. Where a COPY or an archive is laid
 * out before anything is written to disk, so that a later file sees what an earlier one left, links included; what was
 * put ends as the entries of a layer.
 */
import { TsbuildError } from '../errors.ts';
import { displayName } from '../host/path-bytes.ts';
import { baseName, type FileNode, type FileTree, parentPath } from './file-tree.ts';
import type { Owner } from './users.ts';

export interface CreatedDirectory extends Owner {
  readonly mode: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
}

/** One path that was put; `opaque`: nothing of the directory that was there before is seen. */
export interface DraftEntry {
  readonly path: string;
  readonly node: FileNode;
  readonly opaque?: boolean;
}

/** A directory that something was put into, or looked for in. */
interface Folder {
  readonly path: string;
  readonly isInBase: boolean;
  /** Paths that were put, perhaps more than once. */
  readonly put: string[];
}

export class DraftTree implements FileTree {
  readonly #base: FileTree;
  readonly #written = new Map<string, DraftEntry>();
  readonly #folders = new Map<string, Folder>();
  /** The one that was asked for last: most things are put side by side. */
  #folder: Folder | undefined;
  /** Directories of the base whose content is gone: something else took their place. */
  readonly #removed = new Set<string>();

  constructor(base: FileTree) {
    this.#base = base;
  }

  lookup(path: string): FileNode | undefined {
    const written = this.#written.get(path);
    if (written !== undefined) return written.node;
    const isBelow = path === '' || this.#folderOf(path).isInBase;
    return isBelow && !this.#isRemoved(path) ? this.#base.lookup(path) : undefined;
  }

  list(path: string): readonly string[] {
    if (this.lookup(path)?.type !== 'directory') return [];
    const isHidden = this.#isRemoved(path) || this.#removed.has(path);
    const below = isHidden ? [] : this.#base.list(path);
    const put = this.#folders.get(path)?.put ?? [];
    return [...new Set([...below, ...put.map(baseName)])].sort();
  }

  /**
   * Puts a node in the place of what is there, which may have been looked up already. What lies below a directory goes unless
   * the new one is one too.
   */
  put(path: string, node: FileNode, existing = this.lookup(path)): void {
    if (existing?.type === 'directory' && node.type !== 'directory') this.#clear(path);
    this.#written.set(path, { path, node });
    this.#folderOf(path).put.push(path);
  }

  /**
   * Makes the directory `path` and those above that do not exist. `path` has no links in it.
   * @throws TsbuildError `COPY_SOURCE` if something on the way is no directory.
   */
  makeDirectory(path: string, created: CreatedDirectory): void {
    const existing = this.lookup(path);
    if (existing?.type === 'directory') return;
    if (existing !== undefined) {
      throw new TsbuildError(
        'COPY_SOURCE',
        `make directory /${displayName(path)}: a file is there`,
      );
    }
    this.makeDirectory(parentPath(path), created);
    this.put(path, { type: 'directory', size: 0, ...created });
  }

  /**
   * What was put, each directory before what lies in it. Directories of the base on the way are repeated as they are, for
   * readers of a layer who would else make them anew. The root is left out.
   */
  toEntries(): DraftEntry[] {
    return [...this.#written.values(), ...this.#directoriesAbove()]
      .filter(({ path }) => path !== '')
      .sort((a, b) => (a.path < b.path ? -1 : 1))
      .map((entry) => (this.#removed.has(entry.path) ? asOpaque(entry) : entry));
  }

  /** The directories that what was put lies in, and that were not put themselves. */
  #directoriesAbove(): Iterable<DraftEntry> {
    const found = new Map<string, DraftEntry>();
    for (const { path: directory, put } of this.#folders.values()) {
      if (put.length === 0) continue;
      for (let path = directory; path !== '' && !found.has(path); path = parentPath(path)) {
        if (!this.#written.has(path)) found.set(path, { path, node: this.lookup(path)! });
      }
    }
    return found.values();
  }

  #folderOf(path: string): Folder {
    const directory = parentPath(path);
    if (this.#folder?.path === directory) return this.#folder;
    let folder = this.#folders.get(directory);
    if (folder === undefined) {
      const isInBase = this.#base.lookup(directory)?.type === 'directory';
      folder = { path: directory, isInBase, put: [] };
      this.#folders.set(directory, folder);
    }
    this.#folder = folder;
    return folder;
  }

  #isRemoved(path: string): boolean {
    if (this.#removed.size === 0) return false;
    for (let at = parentPath(path); at !== ''; at = parentPath(at)) {
      if (this.#removed.has(at)) return true;
    }
    return false;
  }

  #clear(path: string): void {
    if (!this.#isRemoved(path) && this.#base.lookup(path)?.type === 'directory') {
      this.#removed.add(path);
    }
    for (const written of this.#written.keys()) {
      if (written.startsWith(`${path}/`)) this.#written.delete(written);
    }
    for (const folder of this.#folders.values()) {
      if (folder.path === path || folder.path.startsWith(`${path}/`)) folder.put.length = 0;
    }
  }
}

/** Something else may be there by now, which needs no mark. */
function asOpaque(entry: DraftEntry): DraftEntry {
  return entry.node.type === 'directory' ? { ...entry, opaque: true } : entry;
}
