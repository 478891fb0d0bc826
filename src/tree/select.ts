/**
 * What the source words of COPY and ADD name in a tree, and what lies below. Links that a word names or passes through
 * are followed, always within the tree; links that are found below a named directory are copied as links.
 */
import { suggest } from '../dockerfile/suggest.ts';
import { TsbuildError } from '../errors.ts';
import { displayName } from '../host/path-bytes.ts';
import {
  baseName,
  cleanPath,
  type FileNode,
  type FileTree,
  joinPath,
  parentPath,
} from './file-tree.ts';
import { expandGlob, hasWildcards } from './glob.ts';
import { resolvePath } from './resolve.ts';

/** One thing that a word names. */
export interface SelectedPath {
  /** Where it is, links followed. */
  readonly path: string;
  /** What it is called where it goes; not the name of a link's target. */
  readonly name: string;
  readonly node: FileNode;
}

export interface WalkedNode {
  /** Relative to where the walk began. */
  readonly path: string;
  readonly node: FileNode;
}

/**
 * What `word` names, in the order in which it is copied; nothing if it is a pattern that matches nothing. `..` stops at
 * the root.
 * @throws TsbuildError `COPY_SOURCE` if a file or the directory before the first wildcard does not exist, or if the
 * pattern is malformed.
 */
export function selectPaths(tree: FileTree, word: string): readonly SelectedPath[] {
  const { base, pattern } = splitWildcards(cleanPath(word));
  if (pattern === '') return [follow(tree, base)];
  const start = follow(tree, base);
  if (start.node.type !== 'directory') return [];
  const found = expandGlob(tree, start.path, pattern);
  if (found === undefined) {
    throw new TsbuildError('COPY_SOURCE', `match ${displayName(word)}: syntax error in pattern`, {
      hint: 'Write [[] for a bracket that is meant as such.',
    });
  }
  return found.map((path) => follow(tree, path));
}

/** Everything below a directory, each directory before what lies in it. */
export function walkTree(tree: FileTree, start = ''): WalkedNode[] {
  const found: WalkedNode[] = [];
  const walk = (directory: string, relative: string): void => {
    const names = tree.list(directory);
    const nodes = tree.nodes?.(directory);
    for (const [at, name] of names.entries()) {
      const node = nodes === undefined ? tree.lookup(joinPath(directory, name)) : nodes[at];
      // Listed, but gone since.
      if (node === undefined) continue;
      const path = joinPath(relative, name);
      found.push({ path, node });
      if (node.type === 'directory') walk(joinPath(directory, name), path);
    }
  };
  walk(start, '');
  return found;
}

/** The directory before the first component with a wildcard, and the rest. */
export function splitWildcards(path: string): { base: string; pattern: string } {
  const parts = path.split('/');
  const first = parts.findIndex(hasWildcards);
  if (first < 0) return { base: path, pattern: '' };
  return { base: parts.slice(0, first).join('/'), pattern: parts.slice(first).join('/') };
}

/** Why it is not there, or what there is instead. */
function hint(tree: FileTree, path: string, resolved: string): { hint?: string } {
  const known = tree.whyMissing?.(path) ?? tree.whyMissing?.(resolved);
  const directory = parentPath(resolved);
  const near = suggest(baseName(resolved), tree.list(directory));
  if (known !== undefined) return { hint: known };
  if (near === undefined) return {};
  return { hint: `Did you mean ${displayName(joinPath(directory, near))}?` };
}

function follow(tree: FileTree, path: string): SelectedPath {
  const { path: resolved, node } = resolvePath(tree, path, { followLast: true });
  if (node === undefined) {
    throw new TsbuildError(
      'COPY_SOURCE',
      `"/${displayName(path)}": not found`,
      hint(tree, path, resolved),
    );
  }
  return { path: resolved, name: baseName(path), node };
}
