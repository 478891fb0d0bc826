/**
 * What a COPY or ADD takes: from source words, here-documents and downloads to a flat list of things to copy. Says
 * nothing of the destination, so the key of a step is known before anyone looks at the files it builds upon.
 */
import { isTsbuildError, TsbuildError } from '../errors.ts';
import { baseName, cleanPath, type FileNode, type FileTree } from '../tree/file-tree.ts';
import { type FilteredTree, filterTree, type TreeFilter } from '../tree/filter.ts';
import { hasWildcards } from '../tree/glob.ts';
import { type PathPatterns, parsePatterns } from '../tree/path-patterns.ts';
import { type SelectedPath, selectPaths, splitWildcards, walkTree } from '../tree/select.ts';

/** Where a COPY takes files from, in the order of the instruction. */
export type CopySource =
  | {
      readonly type: 'word';
      readonly tree: FileTree;
      /** As in the Dockerfile, after expansion. */
      readonly word: string;
      /** ADD: a local archive is taken apart. */
      readonly unpack: boolean;
      /** Of a context: all words by which this build takes files from it. Absent for stages and images. */
      readonly contextWords?: () => readonly string[];
    }
  /** A here-document or a download: a file without a tree around it. */
  | {
      readonly type: 'file';
      readonly name: string;
      readonly node: FileNode;
      readonly unpack: boolean;
    }
  /** A checkout: all of its files. */
  | { readonly type: 'tree'; readonly tree: FileTree };

export interface CopySelection {
  readonly sources: readonly CopySource[];
  readonly exclude: readonly string[];
  /** `--parents`: source paths are kept below the destination, from `/./` on if that is in the word. */
  readonly parents: boolean;
}

/** One thing to copy: a file, or the content of a directory. */
export interface CopyItem {
  /** What a file is called if the destination is a directory. */
  readonly name: string;
  readonly node: FileNode;
  readonly unpack: boolean;
  /** What lies in a directory, each directory before what lies in it. */
  readonly entries: readonly CopyEntry[];
}

export interface CopyEntry {
  /** Relative to the directory. */
  readonly path: string;
  readonly node: FileNode;
  /** A directory that is there for the sake of what lies below: excluded itself. */
  readonly isPassage?: boolean;
}

/**
 * Everything that is copied, in order. Later things may lie upon earlier ones.
 * @throws TsbuildError `COPY_SOURCE` naming what does not exist; `DOCKERFILE_PARSE` for a malformed `--exclude`.
 */
export function selectCopy(selection: CopySelection): readonly CopyItem[] {
  const exclude = parseExclude(selection.exclude);
  return selection.sources.flatMap((source): readonly CopyItem[] => {
    if (source.type === 'file') return [{ ...source, entries: [] }];
    if (source.type === 'tree') return [directoryItem(source.tree, '', { exclude })];
    if (selection.parents) return selectWithParents(source.tree, source.word, exclude);
    const paths = selectPaths(source.tree, source.word);
    if (paths.length === 0) requireSent(source.tree, source.word, source.contextWords);
    return paths.map((path) => toItem(source.tree, path, source.unpack, exclude));
  });
}

function toItem(
  tree: FileTree,
  selected: SelectedPath,
  unpack: boolean,
  exclude: PathPatterns,
): CopyItem {
  if (selected.node.type === 'directory') return directoryItem(tree, selected.path, { exclude });
  return { name: selected.name, node: selected.node, unpack, entries: [] };
}

function directoryItem(tree: FileTree, path: string, filter: TreeFilter): CopyItem {
  const isFiltered = filter.include !== undefined || (filter.exclude?.length ?? 0) > 0;
  const view: FilteredTree | undefined = isFiltered ? filterTree(tree, filter, path) : undefined;
  const entries =
    view === undefined
      ? walkTree(tree, path)
      : walkTree(view).map((entry) => ({ ...entry, isPassage: !view.isChosen(entry.path) }));
  return { name: baseName(path), node: tree.lookup(path)!, unpack: false, entries };
}

/** The word is a pattern for paths below its pivot, in the language of `.dockerignore`: `**` works here. */
function selectWithParents(
  tree: FileTree,
  word: string,
  exclude: PathPatterns,
): readonly CopyItem[] {
  const pivot = word.indexOf('/./');
  const start = pivot < 0 ? '' : cleanPath(word.slice(0, pivot));
  const pattern = cleanPath(pivot < 0 ? word : word.slice(pivot + 3));
  const include = pattern === '' ? undefined : parseOption('--parents', [pattern]);
  const filter = include === undefined ? { exclude } : { include, exclude };
  if (!hasWildcards(start) && !hasWildcards(pattern)) {
    // Nothing that is named outright may be missing.
    selectPaths(tree, start === '' ? pattern : `${start}/${pattern}`);
  }
  return selectPaths(tree, start).map((selected) =>
    selected.node.type === 'directory'
      ? directoryItem(tree, selected.path, filter)
      : { name: selected.name, node: selected.node, unpack: false, entries: [] },
  );
}

/**
 * A pattern may match nothing, but the engine wants the directory before its first wildcard, and of a context it sees
 * only what some word of the build matches. `COPY docs/*.md /` alone fails without a match; beside a `COPY docs /` it
 * does not.
 * @throws TsbuildError `COPY_SOURCE`
 */
function requireSent(tree: FileTree, word: string, contextWords?: () => readonly string[]): void {
  if (contextWords === undefined) return;
  const { base, pattern } = splitWildcards(cleanPath(word));
  if (pattern === '' || base === '') return;
  const isSent = contextWords().some((other) =>
    existing(tree, other).some(
      ({ path }) => path === '' || `${path}/`.startsWith(`${base}/`) || base.startsWith(`${path}/`),
    ),
  );
  if (isSent) return;
  throw new TsbuildError('COPY_SOURCE', `"/${cleanPath(word)}": no file matches`);
}

function existing(tree: FileTree, word: string): readonly SelectedPath[] {
  try {
    return selectPaths(tree, word);
  } catch (error) {
    // Its own instruction will say so.
    if (isTsbuildError(error) && error.code === 'COPY_SOURCE') return [];
    throw error;
  }
}

/** @throws TsbuildError `DOCKERFILE_PARSE` */
export function parseExclude(patterns: readonly string[]): PathPatterns {
  return parseOption('--exclude', patterns);
}

function parseOption(flag: string, patterns: readonly string[]): PathPatterns {
  try {
    return parsePatterns(patterns);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TsbuildError('DOCKERFILE_PARSE', `${flag}: ${why}`, { cause });
  }
}
