/**
 * What `COPY --link` is put on: nothing, so that its layer can be used again on whatever base; but for the directories on
 * the way to the destination, of which the layer has to say something. Where the base has them it says what they are
 * there, else it would change them: BuildKit's `COPY --link a /tmp/` takes everybody's permission to write to /tmp.
 */
import { displayName } from '../host/path-bytes.ts';
import {
  cleanPath,
  EMPTY_TREE,
  type FileNode,
  type FileTree,
  parentPath,
} from '../tree/file-tree.ts';

export interface LinkBase {
  /** The directories alone. */
  readonly tree: FileTree;
  /** The same for the step's key. */
  readonly directories: readonly string[];
}

export interface LinkDestination {
  /** Of a file that is put there under this name; otherwise `path` is a directory itself. */
  readonly isFile: boolean;
  /** Absolute, or relative to `workdir`. */
  readonly path: string;
  readonly workdir: string;
  /** Of the directories, in nanoseconds: what the base has would make the layer another one with each new base. */
  readonly time: bigint;
}

/** Links on the way are not followed: with `--link` the base is not seen. */
export function linkBase(base: FileTree, destination: LinkDestination): LinkBase {
  const { path, workdir, isFile, time } = destination;
  const cleaned = cleanPath(path.startsWith('/') ? path : `${workdir}/${path}`);
  const found = new Map<string, FileNode>();
  for (const directory of fromTheTop(isFile ? parentPath(cleaned) : cleaned)) {
    const node = base.lookup(directory);
    if (node?.type !== 'directory') break;
    found.set(directory, { ...node, mtime: time });
  }
  return {
    tree: { lookup: (at) => found.get(at) ?? EMPTY_TREE.lookup(at), list: () => [] },
    directories: [...found].map(([at, node]) => `/${displayName(at)} ${describe(node)}`),
  };
}

function fromTheTop(path: string): string[] {
  return path === '' ? [] : [...fromTheTop(parentPath(path)), path];
}

function describe({ mode, uid, gid, xattrs = {} }: FileNode): string {
  const attributes = Object.entries(xattrs)
    .map(([name, value]) => ` ${name}=${Buffer.from(value).toString('hex')}`)
    .sort();
  return `${mode.toString(8)} ${uid}:${gid}${attributes.join('')}`;
}
