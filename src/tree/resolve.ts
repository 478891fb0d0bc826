/** Path resolution within a tree: symlinks are followed as in a chroot, so that nothing ever leaves the root. */
import { TsbuildError } from '../errors.ts';
import { displayName } from '../host/path-bytes.ts';
import { type FileNode, type FileTree, joinPath } from './file-tree.ts';

/** As Linux: more links than this on one path is a loop. */
const MAX_LINKS = 40;

export interface Resolved {
  /** Without any symlink, except the last component when it was not to be followed. */
  readonly path: string;
  readonly node: FileNode | undefined;
}

/**
 * Resolves `path` (absolute or relative to the root, `.` and `..` allowed) in `tree`. What does not exist is taken as
 * it is written, so the result can name a file to be made. An absolute link starts again at the root; `..` stops there,
 * unless `strict`.
 * @throws TsbuildError `COPY_SOURCE` if there are too many levels of symbolic links, or `..` leads out and is not to.
 */
export function resolvePath(
  tree: FileTree,
  path: string,
  options: { followLast: boolean; strict?: boolean },
): Resolved {
  const pending = path.split('/').reverse();
  const parents: string[] = [];
  let links = 0;
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (parents.pop() === undefined && options.strict) {
        throw new TsbuildError('COPY_SOURCE', `${displayName(path)}: a link leads out of the root`);
      }
      continue;
    }
    const here = joinPath(parents.join('/'), part);
    const node = tree.lookup(here);
    const isLast = pending.every((rest) => rest === '' || rest === '.');
    if (node?.type !== 'symlink' || (isLast && !options.followLast)) {
      parents.push(part);
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) {
      throw new TsbuildError(
        'COPY_SOURCE',
        `too many levels of symbolic links: ${displayName(path)}`,
      );
    }
    const target = node.linkTarget ?? '';
    if (target.startsWith('/')) parents.length = 0;
    pending.push(...target.split('/').reverse());
  }
  const resolved = parents.join('/');
  return { path: resolved, node: tree.lookup(resolved) };
}
