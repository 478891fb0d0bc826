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
  if (parents) return undefined;
  // Asked first: most words name files, for which all else is more work than what it saves.
  if (sources.every(isFile)) return undefined;
  const found = sources.map(pathsOf);
  if (!found.some((paths) => paths?.some(({ node }) => node.type === 'directory')))
    return undefined;
  const stamper = createStamper();
  stamper.add(JSON.stringify(['copy.v1', hasOwner, hasMode, exclude]));
  const areKnown = sources.every((source, at) => addSource(source, found[at], exclude, stamper));
  return areKnown ? stamper.finish() : undefined;
}

function isFile(source: CopySource): boolean {
  if (source.type !== 'word') return source.type === 'file';
  return source.tree.lookup(cleanPath(source.word))?.type === 'file';
}

function addSource(
  source: CopySource,
  found: readonly SelectedPath[] | undefined,
  exclude: readonly string[],
  stamper: Stamper,
): boolean {
  if (source.type !== 'word' || found === undefined || found.length === 0) return false;
  const { tree, unpack } = source;
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

/** `undefined` where the host says nothing of files. */
function pathsOf(source: CopySource): readonly SelectedPath[] | undefined {
  if (source.type !== 'word' || source.tree.stats === undefined) return undefined;
  try {
    return selectPaths(source.tree, source.word);
  } catch (error) {
    // Who selects the files tells it better.
    if (isTsbuildError(error) && error.code === 'COPY_SOURCE') return [];
    throw error;
  }
}
