/** An index file in memory, read in place: see columns.ts. */
import { hexOf } from '../oci/digest.ts';
import { type FileType, joinPath } from '../tree/file-tree.ts';
import {
  type Columns,
  HASH_BYTES,
  HASHED_FLAG,
  KINDS,
  type Kind,
  NO_ORDER,
  nameOf,
  OPAQUE_FLAG,
  pathOf,
} from './columns.ts';
import { extraOf } from './index-extra.ts';
import type { Layer, LayerEntry, LayerNode, LayerView } from './layer.ts';

export function viewOf(columns: Columns, layer: Layer): LayerView {
  return new IndexView(columns, layer);
}

class IndexView implements LayerView {
  readonly #columns: Columns;
  readonly #tar: string;
  readonly #inodePrefix: string;
  #entries: ReadonlyMap<string, LayerEntry> | undefined;
  /** Each step of a build asks, of all layers below it. */
  readonly #paths = new Map<'implicit' | 'whiteout', readonly string[]>();

  constructor(columns: Columns, layer: Layer) {
    this.#columns = columns;
    this.#tar = layer.tar;
    // Inodes of different layers must differ where their trees are merged.
    this.#inodePrefix = `${hexOf(layer.diffID).slice(0, 16)}:`;
  }

  get entries(): ReadonlyMap<string, LayerEntry> {
    this.#entries ??= this.#readAll();
    return this.#entries;
  }

  child(directory: number, name: string): number {
    let { start, end } = this.children(directory);
    while (start < end) {
      const middle = (start + end) >>> 1;
      const here = this.nameOf(middle);
      if (here === name) return middle;
      if (here < name) start = middle + 1;
      else end = middle;
    }
    return -1;
  }

  children(directory: number): { start: number; end: number } {
    const start = this.#columns.firstChild[directory]!;
    return { start, end: start + this.#columns.childCount[directory]! };
  }

  nameOf(record: number): string {
    return nameOf(this.#columns, record);
  }

  kindOf(record: number): 'directory' | 'other' | 'whiteout' {
    const kind = this.#kind(record);
    if (kind === 'whiteout') return kind;
    return kind === 'directory' || kind === 'implicit' ? 'directory' : 'other';
  }

  isImplicit(record: number): boolean {
    return this.#kind(record) === 'implicit';
  }

  pathsOf(kind: 'implicit' | 'whiteout'): readonly string[] {
    let paths = this.#paths.get(kind);
    if (paths === undefined) {
      paths = this.#findPaths(KINDS.indexOf(kind));
      this.#paths.set(kind, paths);
    }
    return paths;
  }

  #findPaths(code: number): string[] {
    const { count, kind: kinds } = this.#columns;
    const paths: string[] = [];
    for (let record = 1; record < count; record += 1) {
      if (kinds[record] === code) paths.push(pathOf(this.#columns, record));
    }
    return paths;
  }

  isOpaque(record: number): boolean {
    return (this.#columns.flags[record]! & OPAQUE_FLAG) !== 0;
  }

  nodeOf(record: number): LayerNode {
    const columns = this.#columns;
    const kind = this.#kind(record);
    if (kind === 'whiteout') throw new TypeError('a whiteout has no node');
    const type: FileType = kind === 'implicit' ? 'directory' : kind;
    const size = columns.size[record]!;
    const offset = columns.offset[record]!;
    const inode = columns.inode[record]!;
    const { device, linkTarget, xattrs } = extraOf(columns, record);
    const isHashed = (columns.flags[record]! & HASHED_FLAG) !== 0;
    return {
      type,
      mode: columns.mode[record]!,
      uid: columns.uid[record]!,
      gid: columns.gid[record]!,
      size,
      mtime: columns.mtime[record]!,
      ...(type === 'file' && { content: { file: this.#tar, offset, size } }),
      ...(isHashed && {
        sha256: columns.sha256.toString('hex', record * HASH_BYTES, (record + 1) * HASH_BYTES),
      }),
      ...(inode !== 0 && { inode: this.#inodePrefix + inode }),
      ...(device && { device }),
      ...(linkTarget !== undefined && { linkTarget }),
      ...(xattrs && { xattrs }),
    };
  }

  #kind(record: number): Kind {
    return KINDS[this.#columns.kind[record]!]!;
  }

  #readAll(): ReadonlyMap<string, LayerEntry> {
    const { count, order, parent } = this.#columns;
    const paths: string[] = [''];
    const inOrder: number[] = [];
    for (let record = 0; record < count; record += 1) {
      if (record > 0) paths.push(joinPath(paths[parent[record]!]!, this.nameOf(record)));
      if (order[record] !== NO_ORDER) inOrder[order[record]!] = record;
    }
    return new Map(inOrder.map((record) => [paths[record]!, this.#entry(record, paths[record]!)]));
  }

  #entry(record: number, path: string): LayerEntry {
    if (this.#kind(record) === 'whiteout') return { path, whiteout: true };
    const node = this.nodeOf(record);
    if (!this.isOpaque(record)) return { path, node };
    return this.isImplicit(record)
      ? { path, node, opaque: true, implicit: true }
      : { path, node, opaque: true };
  }
}
