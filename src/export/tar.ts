/** `type=tar`: the files of the image as one tar, with everything that a layer keeps, and no whiteouts. */
import fs from 'node:fs';
import { TsbuildError } from '../errors.ts';
import { type Output, openOutput } from '../host/output.ts';
import { fsPath } from '../host/path-bytes.ts';
import type { Store } from '../store/store.ts';
import { END_OF_ARCHIVE, encodeHeader } from '../tar/encode.ts';
import { padding } from '../tar/entry.ts';
import { type FileNode, type FileTree, joinPath } from '../tree/file-tree.ts';
import { walkTree } from '../tree/select.ts';
import type { Exporter } from './exporter.ts';
import { platformTrees } from './platform-trees.ts';

export function tarExporter(store: Store): Exporter {
  return {
    type: 'tar',
    async export({ images, destination, ...options }) {
      if ('directory' in destination) {
        throw new TsbuildError(
          'OUTPUT',
          `write ${destination.directory}: type=tar is an archive, not a directory`,
          {
            hint: 'name a file, or use type=local',
          },
        );
      }
      await using output = openOutput(destination, options);
      for (const { prefix, tree } of platformTrees(store, images, options.platformSplit))
        await writeTree(tree, prefix, output);
      await output.put(END_OF_ARCHIVE);
      output.commit();
    },
  };
}

interface Source {
  readonly file: string;
  readonly fd: number;
}

async function writeTree(tree: FileTree, prefix: string, output: Output): Promise<void> {
  /** Inode to the name that was written for it. */
  const links = new Map<string, string>();
  let source: Source | undefined;
  const use = (file: string): number => {
    if (source?.file === file) return source.fd;
    if (source) fs.closeSync(source.fd);
    source = undefined;
    source = { file, fd: fs.openSync(fsPath(file), 'r') };
    return source.fd;
  };
  try {
    for (const { path, node } of walkTree(tree))
      await writeNode(joinPath(prefix, path), node, links, use, output);
  } finally {
    if (source) fs.closeSync(source.fd);
  }
}

async function writeNode(
  name: string,
  node: FileNode,
  links: Map<string, string>,
  use: (file: string) => number,
  output: Output,
): Promise<void> {
  const first =
    node.inode === undefined || node.type === 'directory' ? undefined : links.get(node.inode);
  if (first !== undefined) {
    return output.put(
      encodeHeader({ ...node, name, type: 'link', size: 0, linkName: first, xattrs: undefined }),
    );
  }
  if (node.inode !== undefined) links.set(node.inode, name);
  const isDirectory = node.type === 'directory';
  await output.put(
    encodeHeader({ ...node, name: isDirectory ? `${name}/` : name, linkName: node.linkTarget }),
  );
  if (node.content === undefined) return;
  if ('bytes' in node.content) await output.put(node.content.bytes);
  else await output.copy(use(node.content.file), node.content.offset, node.size);
  await output.put(Buffer.alloc(padding(node.size)));
}
