/**
 * The files of a stack of layers as one tree, without unpacking any: image-spec layer.md, "Applying Changesets".
 * A directory is known by its parts: the records, top layer first, that together make it. Nothing below a whiteout, an
 * opaque directory or something that is no directory contributes. Its attributes are those that the highest layer gives
 * it whose tar lists it. A layer's index is loaded when it is first asked.
 */
import { baseName, EMPTY_TREE, type FileTree, parentPath } from '../tree/file-tree.ts';
import { readIndex } from './index-file.ts';
import type { Layer, LayerIndex, LayerNode, LayerView } from './layer.ts';

interface Part {
  readonly view: LayerView;
  readonly record: number;
}

/** The parts of the directory at a path, top layer first; none if there is no directory. */
type PartsOf = (path: string) => readonly Part[];

/** The tree of `layers`, bottom first. Keeps what it has loaded; make one for each build, not for each question. */
export function stackTree(
  layers: readonly Layer[],
  read: (layer: Layer) => LayerView = readIndex,
): FileTree {
  if (layers.length === 0) return EMPTY_TREE;
  const partsOf = partsIn(layers, read);
  return {
    lookup: (path) => findNode(partsOf, path),
    list: (path) => listNames(partsOf(path)),
  };
}

/**
 * What a layer on top of the stack must list for overlayfs to show the stack as it is: some directories, and those that
 * they lie in. Of most stacks it is nothing.
 *
 * - Directories that the highest layer with files in them does not list, but one below does. To overlayfs every directory
 *   of a lower is a real one, so it would show them with attributes that are nobody's.
 * - Directories with deletions in them that only one layer has. There is nothing for them to delete, and overlayfs would
 *   list the names (ovl_iterate in fs/overlayfs: it reads a directory that is not merged as it is).
 */
export function overlayTop(
  stack: readonly Layer[],
  read: (layer: Layer) => LayerView = readIndex,
): LayerIndex {
  const layers = withoutRepeats(stack);
  const partsOf = partsIn(layers, read);
  const pathsOf = (kind: 'implicit' | 'whiteout') =>
    layers.flatMap((layer) => read(layer).pathsOf(kind));
  const listed = new Set<string>();
  for (const path of pathsOf('implicit')) if (isShownWrong(partsOf, path)) listed.add(path);
  for (const directory of new Set(pathsOf('whiteout').map(parentPath)))
    if (partsOf(directory).length === 1) listed.add(directory);
  for (const path of listed) if (path !== '') listed.add(parentPath(path));
  return {
    entries: new Map(
      [...listed].sort().map((path) => [path, { path, node: findNode(partsOf, path)! }]),
    ),
  };
}

/** A layer can be a lower of an overlay only once, and does there what the uppermost of its kind does. */
function withoutRepeats(layers: readonly Layer[]): Layer[] {
  return [...new Map(layers.toReversed().map((layer) => [layer.diffID, layer])).values()].reverse();
}

function isShownWrong(partsOf: PartsOf, path: string): boolean {
  const parents = partsOf(parentPath(path));
  const found = findChild(parents, baseName(path));
  if (found === undefined || !found.view.isImplicit(found.record)) return false;
  return listedDirectory(parents, baseName(path)) !== undefined;
}

function partsIn(layers: readonly Layer[], read: (layer: Layer) => LayerView): PartsOf {
  const known = new Map<string, readonly Part[]>();
  const partsOf: PartsOf = (path) => {
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
  return partsOf;
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

function findNode(partsOf: PartsOf, path: string): LayerNode | undefined {
  if (path === '') return rootNode(partsOf(''));
  const parents = partsOf(parentPath(path));
  const found = findChild(parents, baseName(path));
  if (found === undefined || !found.view.isImplicit(found.record))
    return found?.view.nodeOf(found.record);
  const { view, record } = listedDirectory(parents, baseName(path)) ?? found;
  return view.nodeOf(record);
}

/** Every layer has a root; the highest that the tar mentions counts. */
function rootNode(parts: readonly Part[]): LayerNode {
  const explicit = parts.find(({ view }) => !view.isImplicit(0)) ?? parts[0]!;
  return explicit.view.nodeOf(explicit.record);
}

/** The highest part that has the name decides. */
function findChild(parents: readonly Part[], name: string): Part | undefined {
  for (const { view, record } of parents) {
    const child = view.child(record, name);
    if (child >= 0) return view.kindOf(child) === 'whiteout' ? undefined : { view, record: child };
  }
  return undefined;
}

/** The highest listing of a directory. An opaque mark hides what lies in it, not what it is. */
function listedDirectory(parents: readonly Part[], name: string): Part | undefined {
  for (const { view, record } of parents) {
    const child = view.child(record, name);
    if (child < 0) continue;
    if (view.kindOf(child) !== 'directory') return undefined;
    if (!view.isImplicit(child)) return { view, record: child };
  }
  return undefined;
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
