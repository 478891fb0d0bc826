/** What there is in place of a path that does not exist. */
import { displayName } from '../host/path-bytes.ts';
import { baseName, cleanPath, type FileTree } from './file-tree.ts';
import { resolvePath } from './resolve.ts';
import { splitWildcards } from './select.ts';

/**
 * A hint for the error about `word`: the path of the same name that has most in common with it. `undefined` if it exists
 * (up to its first wildcard), or nothing has its name.
 */
export async function hintElsewhere(tree: FileTree, word: string): Promise<string | undefined> {
  const { base } = splitWildcards(cleanPath(word));
  if (tree.findNamesakes === undefined || base === '') return undefined;
  if (resolvePath(tree, base, { followLast: true }).node !== undefined) return undefined;
  const found = await tree.findNamesakes(baseName(base));
  const [best] = [...found].sort(
    (a, b) => likeness(b, base) - likeness(a, base) || a.length - b.length || (a < b ? -1 : 1),
  );
  return best === undefined ? undefined : `Did you mean ${displayName(best)}?`;
}

/** How many components two paths share, from the last one on; a difference in case counts as half. */
function likeness(one: string, other: string): number {
  const others = other.split('/').reverse();
  const parts = one.split('/').reverse();
  let shared = 0;
  for (const [at, part] of parts.entries()) {
    const same = others[at];
    if (same === undefined || part.toLowerCase() !== same.toLowerCase()) break;
    shared += part === same ? 1 : 0.5;
  }
  return shared;
}
