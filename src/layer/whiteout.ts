/** Marks of deletion in layer tars: https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts */
import { archiveError } from '../tar/entry.ts';
import { baseName, joinPath, parentPath } from '../tree/file-tree.ts';

const PREFIX = '.wh.';
const OPAQUE = '.wh..wh..opq';
/** What AUFS kept for itself: `.wh..wh.plnk`, `.wh..wh.aufs`, `.wh..wh.orph`. */
const AUFS = '.wh..wh.';

/** What a name in a layer's tar stands for: deletion of `path`, an opaque directory `path`, nothing, or itself. */
export type LayerName =
  | { readonly kind: 'path' | 'whiteout' | 'opaque'; readonly path: string }
  | { readonly kind: 'ignored' };

/** @throws TsbuildError `ARCHIVE` for marks that delete no name (`.wh.`, `.wh...`) or that have something below them. */
export function parseLayerName(path: string): LayerName {
  if (!path.includes(PREFIX)) return { kind: 'path', path };
  const parts = path.split('/');
  if (parts.some((part) => part.startsWith(AUFS) && part !== OPAQUE)) return { kind: 'ignored' };
  if (parts.slice(0, -1).some((part) => part.startsWith(PREFIX))) {
    throw archiveError('it lies below a whiteout', path);
  }
  const base = baseName(path);
  if (!base.startsWith(PREFIX)) return { kind: 'path', path };
  if (base === OPAQUE) return { kind: 'opaque', path: parentPath(path) };
  const name = base.slice(PREFIX.length);
  if (name === '' || name === '.' || name === '..')
    throw archiveError('it is a whiteout of no name', path);
  return { kind: 'whiteout', path: joinPath(parentPath(path), name) };
}

export function whiteoutName(path: string): string {
  return joinPath(parentPath(path), PREFIX + baseName(path));
}

export function opaqueName(path: string): string {
  return joinPath(path, OPAQUE);
}

/** A file of such a name cannot be stored in a layer: readers would take it for a deletion. */
export function isReservedName(path: string): boolean {
  return baseName(path).startsWith(PREFIX);
}
