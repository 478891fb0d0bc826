/**
 * The files of a stack of layers as one tree, without unpacking any: image-spec layer.md, "Applying Changesets".
 * A directory is known by its parts: the records, top layer first, that together make it. Nothing below a whiteout, an
 * opaque directory or something that is no directory contributes. A layer's index is loaded when it is first asked.
 */
import { baseName, EMPTY_TREE, type FileTree, parentPath } from '../tree/file-tree.ts';
import { readIndex } from './index-file.ts';
import type { Layer, LayerView } from './layer.ts';

interface Part {
  readonly view: LayerView;
  readonly record: number;
}

/** The tree of `layers`, bottom first. Keeps what it has loaded; make one for each build, not for each question. */
export function stackTree(
  layers: readonly Layer[],
  read: (layer: Layer) => LayerView = readIndex,
): FileTree {
  if (layers.length === 0) return EMPTY_TREE;
  const known = new Map<string, readonly Part[]>();
  const partsOf = (path: string): readonly Part[] => {
    let parts = known.get(path);
    if (parts === undefined) {
      parts =
        path === ''
          ? rootParts(layers, read)
          : partsOfChild(partsOf(parentPath(path)), baseName(path));
      known.set(path, parts);
    }
    return parts;
  };
  return {
    lookup: (path) => {
      if (path === '') return rootNode(partsOf(''));
      const found = findChild(partsOf(parentPath(path)), baseName(path));
      return found?.view.nodeOf(found.record);
    },
    list: (path) => listNames(partsOf(path)),
  };
}

/** Every layer has a root; the highest that the tar mentions counts. */
function rootNode(parts: readonly Part[]) {
  const explicit = parts.find(({ view }) => !view.isImplicit(0)) ?? parts[0]!;
  return explicit.view.nodeOf(explicit.record);
}

function rootParts(layers: readonly Layer[], read: (layer: Layer) => LayerView): Part[] {
  const parts: Part[] = [];
  for (const layer of layers.toReversed()) {
    const view = read(layer);
    parts.push({ view, record: 0 });
    if (view.isOpaque(0)) break;
  }
  return parts;
}

/** The highest part that has the name decides. */
function findChild(parts: readonly Part[], name: string): Part | undefined {
  for (const { view, record } of parts) {
    const child = view.child(record, name);
    if (child >= 0) return view.kindOf(child) === 'whiteout' ? undefined : { view, record: child };
  }
  return undefined;
}

function partsOfChild(parents: readonly Part[], name: string): Part[] {
  const parts: Part[] = [];
  for (const { view, record } of parents) {
    const child = view.child(record, name);
    if (child < 0) continue;
    if (view.kindOf(child) !== 'directory') break;
    parts.push({ view, record: child });
    if (view.isOpaque(child)) break;
  }
  return parts;
}

function listNames(parts: readonly Part[]): readonly string[] {
  const isThere = new Map<string, boolean>();
  for (const { view, record } of parts) {
    const { start, end } = view.children(record);
    for (let child = start; child < end; child += 1) {
      const name = view.nameOf(child);
      if (!isThere.has(name)) isThere.set(name, view.kindOf(child) !== 'whiteout');
    }
  }
  const names: string[] = [];
  for (const [name, visible] of isThere) if (visible) names.push(name);
  // One part is sorted already.
  return parts.length > 1 ? names.sort() : names;
}
