/**
 * The paths of one layer while it is read or written, with the rules of a filesystem kept: whatever is put in, the result
 * is a tree. Both the writer and the reader of layers fill one, so what is written is what will be read.
 */
import { TsbuildError } from '../errors.ts';
import { displayName } from '../host/path-bytes.ts';
import { parentPath } from '../tree/file-tree.ts';
import type { LayerEntry, LayerNode } from './layer.ts';

export interface EntrySet {
  /** @throws TsbuildError `ARCHIVE` for a path that lies below something that is not a directory. */
  put(entry: LayerEntry): void;
  get(path: string): LayerEntry | undefined;
  /** In the order in which each path came first. */
  values(): Iterable<LayerEntry>;
}

/** Ten times what large images have. A small blob can inflate to any number of headers, and all of them are in memory. */
const MAX_ENTRIES = 2_000_000;

/** What a directory is that a tar does not have, but that its paths lie in. */
export const IMPLICIT_DIRECTORY: LayerNode = {
  type: 'directory',
  mode: 0o755,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0n,
};

export function createEntrySet(): EntrySet {
  const entries = new Map<string, LayerEntry>();
  /** Every directory that has something in it, be it in the tar or implicit. */
  const parents = new Set<string>();
  /** Entries of one directory mostly come one after the other. */
  let lastParent: string | undefined;

  const claimParents = (path: string) => {
    const direct = parentPath(path);
    if (direct === lastParent) return;
    lastParent = direct;
    for (let child = path; child !== ''; ) {
      const parent = parentPath(child);
      if (parents.has(parent)) return;
      const entry = entries.get(parent);
      if (entry !== undefined && 'whiteout' in entry) entries.set(parent, recreated(parent));
      else if (entry !== undefined && entry.node.type !== 'directory')
        throw belowOther(path, parent, entry.node.type);
      parents.add(parent);
      child = parent;
    }
  };

  const put = (entry: LayerEntry) => {
    const { path } = entry;
    if (entries.size >= MAX_ENTRIES)
      throw refused(path, `the layer has more than ${MAX_ENTRIES} entries`);
    claimParents(path);
    const before = entries.get(path);
    if ('whiteout' in entry) {
      // A whiteout tells of lower layers only (image-spec layer.md): in its own layer, it makes a directory opaque.
      if (before === undefined) entries.set(path, parents.has(path) ? recreated(path) : entry);
      else if (!('whiteout' in before) && before.node.type === 'directory')
        entries.set(path, { path, node: before.node, opaque: true });
      return;
    }
    if (entry.node.type !== 'directory') {
      // It would take away what the archive put there before. Only an attack on readers who disagree does that.
      if (parents.has(path) || path === '')
        throw refused(path, 'it replaces a directory that is not empty');
      entries.set(path, entry);
      return;
    }
    const isOpaque =
      entry.opaque || (before !== undefined && ('whiteout' in before || before.opaque === true));
    entries.set(path, isOpaque ? { ...entry, opaque: true } : entry);
  };

  return { put, get: (path) => entries.get(path), values: () => entries.values() };
}

/** A directory that was deleted below, and has files of this layer in it. */
function recreated(path: string): LayerEntry {
  return { path, node: IMPLICIT_DIRECTORY, opaque: true };
}

/** Readers that follow the link would write somewhere else, readers that replace it would not: nobody may choose. */
function belowOther(path: string, parent: string, type: string): TsbuildError {
  return refused(
    path,
    `it lies below ${JSON.stringify(displayName(parent))}, which is a ${type} in the same layer`,
  );
}

function refused(path: string, why: string): TsbuildError {
  return new TsbuildError('ARCHIVE', `layer entry ${JSON.stringify(displayName(path))}: ${why}`);
}
