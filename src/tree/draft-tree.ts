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

export class DraftTree implements FileTree {
  readonly #base: FileTree;
  readonly #written = new Map<string, FileNode>();
  readonly #children = new Map<string, Set<string>>();
  /** Directories of the base whose content is gone: something else took their place. */
  readonly #removed = new Set<string>();

  constructor(base: FileTree) {
    this.#base = base;
  }

  lookup(path: string): FileNode | undefined {
    return this.#written.get(path) ?? (this.#isRemoved(path) ? undefined : this.#base.lookup(path));
  }

  list(path: string): readonly string[] {
    if (this.lookup(path)?.type !== 'directory') return [];
    const isHidden = this.#isRemoved(path) || this.#removed.has(path);
    const below = isHidden ? [] : this.#base.list(path);
    return [...new Set([...below, ...(this.#children.get(path) ?? [])])].sort();
  }

  /** Puts a node in the place of what is there. What lies below a directory goes unless the new one is one too. */
  put(path: string, node: FileNode): void {
    const existing = this.lookup(path);
    if (existing?.type === 'directory' && node.type !== 'directory') this.#clear(path);
    this.#written.set(path, node);
    const siblings = this.#children.get(parentPath(path)) ?? new Set();
    this.#children.set(parentPath(path), siblings.add(baseName(path)));
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
    const nodes = new Map(this.#written);
    for (const path of this.#written.keys()) {
      for (let above = parentPath(path); above !== '' && !nodes.has(above); ) {
        nodes.set(above, this.lookup(above)!);
        above = parentPath(above);
      }
    }
    nodes.delete('');
    const paths = [...nodes.keys()].sort();
    return paths.map((path) => {
      const node = nodes.get(path)!;
      const isOpaque = node.type === 'directory' && this.#removed.has(path);
      return isOpaque ? { path, node, opaque: true } : { path, node };
    });
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
    for (const directory of this.#children.keys()) {
      if (directory === path || directory.startsWith(`${path}/`)) this.#children.delete(directory);
    }
  }
}
