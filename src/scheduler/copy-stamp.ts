/**
 * Says of what a COPY takes whether it is what another build took, without looking at files one by one: for directories of a
 * context, where there may be very many.
 */
import { createStamper, type Stamp, type Stamper } from '../context/stamp.ts';
import { isTsbuildError } from '../errors.ts';
import { cleanPath } from '../tree/file-tree.ts';
import { filterTree } from '../tree/filter.ts';
import { type SelectedPath, selectPaths } from '../tree/select.ts';
import type { DigestOptions } from './copy-digest.ts';
import { type CopySelection, type CopySource, parseExclude } from './copy-select.ts';

/**
 * Equal stamps have equal digests (copy-digest.ts), which depend on nothing else. `undefined` where there is none, or where it
 * is not worth it: no directory among the sources, downloads, links that lead to something else, and what is an error.
 */
export function stampCopy(
  { sources, exclude, parents }: CopySelection,
  { hasOwner, hasMode }: Pick<DigestOptions, 'hasOwner' | 'hasMode'>,
): Stamp | undefined {
  if (parents || !sources.every(isOnHost)) return undefined;
  // Asked first: most words name files, for which all else is more work than what it saves.
  if (sources.every(isFile)) return undefined;
  const found = sources.map(pathsOf);
  if (!found.flat().some(({ node }) => node.type === 'directory')) return undefined;
  const stamper = createStamper();
  stamper.add(JSON.stringify(['copy.v1', hasOwner, hasMode, exclude]));
  const areKnown = sources.every((source, at) => addPaths(found[at]!, source, exclude, stamper));
  return areKnown ? stamper.finish() : undefined;
}

type Word = CopySource & { readonly type: 'word' };

/** The host says of its files, and of no others, what they are. */
function isOnHost(source: CopySource): source is Word {
  return source.type === 'word' && source.tree.stats !== undefined;
}

function isFile({ tree, word }: Word): boolean {
  return tree.lookup(cleanPath(word))?.type === 'file';
}

/** None where that is an error: who selects the files tells it better. */
function pathsOf({ tree, word }: Word): readonly SelectedPath[] {
  try {
    return selectPaths(tree, word);
  } catch (error) {
    if (isTsbuildError(error) && error.code === 'COPY_SOURCE') return [];
    throw error;
  }
}

function addPaths(
  found: readonly SelectedPath[],
  { tree, unpack }: Word,
  exclude: readonly string[],
  stamper: Stamper,
): boolean {
  if (found.length === 0) return false;
  return found.every(({ path, name, node }) => {
    if (node.type !== 'directory') {
      stamper.add(JSON.stringify([name, unpack]));
      return stamper.addFile(node);
    }
    stamper.add('directory');
    const isWhole = exclude.length === 0;
    const view = isWhole ? tree : filterTree(tree, { exclude: parseExclude(exclude) }, path);
    return stamper.addTree(view, isWhole ? path : '');
  });
}
