/** A part of a tree, chosen by lists of patterns: what `.dockerignore`, `--exclude` and `--parents` leave of it. */
import { ROW, type StatRows } from '../host/lstat.ts';
import { type FileNode, type FileTree, joinPath, parentPath } from './file-tree.ts';
import { type MatchState, matchPath, mayExceptBelow, type PathPatterns } from './path-patterns.ts';

export interface TreeFilter {
  /** Keep only what matches; without it, everything. */
  readonly include?: PathPatterns;
  /** Then leave out what matches. */
  readonly exclude?: PathPatterns;
}

export interface FilteredTree extends FileTree {
  /** Whether a path that is there was chosen itself, rather than for the sake of what lies below. */
  isChosen(path: string): boolean;
}

interface Verdict {
  readonly kept: boolean;
  /** Whether something below may be kept although this is not. */
  readonly open: boolean;
  readonly included: MatchState | undefined;
  readonly excluded: MatchState | undefined;
}

/**
 * The view of `tree` below `root` that a filter leaves; patterns and paths of the view are relative to `root`. A
 * directory that is left out is there nevertheless if it leads to something that is kept. Lazy: reads no directory in
 * which nothing can be kept. Answers are remembered, so the tree must not change.
 */
export function filterTree(tree: FileTree, filter: TreeFilter, root = ''): FilteredTree {
  const verdicts = new Map<string, Verdict>();
  const leading = new Map<string, boolean>();
  const inTree = (path: string): string => (path === '' ? root : joinPath(root, path));

  const judge = (path: string): Verdict => {
    let verdict = verdicts.get(path);
    if (verdict === undefined) {
      verdict = judgePath(filter, path, path === '' ? undefined : judge(parentPath(path)));
      verdicts.set(path, verdict);
    }
    return verdict;
  };
  /** Whether a directory that is not kept itself leads to something kept. */
  const leads = (path: string): boolean => {
    let answer = leading.get(path);
    if (answer === undefined) {
      answer =
        judge(path).open && tree.list(inTree(path)).some((name) => isThere(joinPath(path, name)));
      leading.set(path, answer);
    }
    return answer;
  };
  const isThere = (path: string): boolean => judge(path).kept || leads(path);

  /** Where the names that are left stand among those of the whole directory. */
  const placesLeft = (path: string): readonly number[] => {
    const { kept, open } = judge(path);
    if (!kept && !open) return [];
    const places: number[] = [];
    for (const [at, name] of tree.list(inTree(path)).entries())
      if (isThere(joinPath(path, name))) places.push(at);
    return places;
  };
  const { nodes, stats } = tree;

  return {
    isChosen: (path) => judge(path).kept,
    lookup: (path): FileNode | undefined => {
      const node = tree.lookup(inTree(path));
      return node !== undefined && isThere(path) ? node : undefined;
    },
    list: (path) => {
      const places = placesLeft(path);
      return places.length === 0 ? [] : chosen(tree.list(inTree(path)), places);
    },
    ...(nodes && {
      nodes: (path) => {
        const places = placesLeft(path);
        return places.length === 0 ? [] : chosen(nodes(inTree(path)), places);
      },
    }),
    ...(stats && {
      stats: (path) => {
        const places = placesLeft(path);
        return places.length === 0 ? new Uint32Array() : chosenRows(stats(inTree(path)), places);
      },
    }),
  };
}

function chosen<T>(items: readonly T[], places: readonly number[]): readonly T[] {
  return places.length === items.length ? items : places.map((at) => items[at]!);
}

function chosenRows(rows: StatRows, places: readonly number[]): StatRows {
  if (places.length * ROW === rows.length) return rows;
  const left = new Uint32Array(places.length * ROW);
  for (const [to, from] of places.entries())
    left.set(rows.subarray(from * ROW, (from + 1) * ROW), to * ROW);
  return left;
}

function judgePath(filter: TreeFilter, path: string, parent: Verdict | undefined): Verdict {
  if (parent === undefined) {
    return { kept: true, open: true, included: undefined, excluded: undefined };
  }
  const inclusion = filter.include && matchPath(filter.include, path, parent.included);
  const exclusion = filter.exclude && matchPath(filter.exclude, path, parent.excluded);
  const kept = (inclusion?.matched ?? true) && !(exclusion?.matched ?? false);
  const open = kept || inclusion?.matched === false || mayExceptBelow(filter.exclude ?? [], path);
  return { kept, open, included: inclusion?.state, excluded: exclusion?.state };
}
