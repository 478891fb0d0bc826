import { type FileTree, joinPath } from './file-tree.ts';

/** The tree below a directory, with that as its root: no link in it leads further up. */
export function subtree(tree: FileTree, root: string): FileTree {
  if (root === '') return tree;
  const inTree = (path: string): string => (path === '' ? root : joinPath(root, path));
  return { lookup: (path) => tree.lookup(inTree(path)), list: (path) => tree.list(inTree(path)) };
}
