/**
 * Says of what a COPY takes whether it is what another build took, without looking at files one by one: for directories of a
 * context, where there may be very many.
 */
import { createStamper, type Stamp, type Stamper } from '../context/stamp.ts';
import { isTsbuildError } from '../errors.ts';
import { filterTree } from '../tree/filter.ts';
import { selectPaths } from '../tree/select.ts';
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
  const stamper = createStamper();
  stamper.add(JSON.stringify(['copy.v1', hasOwner, hasMode, exclude]));
  const added = sources.map((source) => addSource(source, exclude, stamper));
  return added.includes('directory') && !added.includes(undefined) ? stamper.finish() : undefined;
}

type Added = 'directory' | 'files' | undefined;

function addSource(source: CopySource, exclude: readonly string[], stamper: Stamper): Added {
  if (source.type !== 'word' || source.tree.stats === undefined) return undefined;
  const { tree, unpack } = source;
  const found = pathsOf(source);
  let added: Added = found.length === 0 ? undefined : 'files';
  for (const { path, name, node } of found) {
    if (node.type === 'directory') {
      stamper.add('directory');
      const patterns = parseExclude(exclude);
      const view = exclude.length === 0 ? tree : filterTree(tree, { exclude: patterns }, path);
      if (!stamper.addTree(view, view === tree ? path : '')) return undefined;
      added = 'directory';
    } else {
      stamper.add(JSON.stringify([name, unpack]));
      if (!stamper.addFile(node)) return undefined;
    }
  }
  return added;
}

function pathsOf({ tree, word }: CopySource & { type: 'word' }): ReturnType<typeof selectPaths> {
  try {
    return selectPaths(tree, word);
  } catch (error) {
    // Who selects the files tells it better.
    if (isTsbuildError(error) && error.code === 'COPY_SOURCE') return [];
    throw error;
  }
}
