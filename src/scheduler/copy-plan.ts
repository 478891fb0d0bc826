/**
 * Where a COPY puts what it takes: from things to copy and the files of the stage to the entries of a layer. Follows the
 * engine step by step (and asked it), since its rules for what exists, what a link leads to and whose metadata wins are
 * the meaning of the instruction:
 *
 * - Things are copied one after the other, each seeing what the ones before it left.
 * - Directories on the way to the destination are made if missing, links among them followed. They belong to `--chown`.
 * - A directory's content is copied. Where there is a directory already the two are merged; the destination itself keeps
 *   its metadata, those below get the source's.
 * - A file replaces what is there, unless that is a directory. Below the destination, links are never followed.
 */
import type { Archive } from '../context/archive.ts';
import { extractArchive } from '../context/extract.ts';
import { TsbuildError } from '../errors.ts';
import { displayName } from '../host/path-bytes.ts';
import type { LayerInput } from '../layer/layer.ts';
import { type CreatedDirectory, DraftTree } from '../tree/draft-tree.ts';
import {
  baseName,
  cleanPath,
  type FileNode,
  type FileTree,
  joinPath,
  parentPath,
} from '../tree/file-tree.ts';
import { resolvePath } from '../tree/resolve.ts';
import type { Owner } from '../tree/users.ts';
import { type Chmod, NO_CHMOD } from './copy-mode.ts';
import type { CopyItem } from './copy-select.ts';

export interface CopyDestination {
  /** The files of the stage so far. */
  readonly base: FileTree;
  /** As in the Dockerfile, after expansion. A slash at the end makes it a directory. */
  readonly path: string;
  /** Absolute. */
  readonly workdir: string;
  /** Of everything that is made; without it, each file's own, and root for directories on the way. */
  readonly owner?: Owner;
  readonly chmod?: Chmod;
  /** mtime of directories that are made on the way, in nanoseconds: a fixed one, so that equal inputs give equal layers. */
  readonly createdTime: bigint;
  /** The archives among the items, opened: those of items to unpack that turned out to be archives. */
  readonly archives?: ReadonlyMap<CopyItem, Archive>;
}

/** What one item is copied with. */
interface Copying {
  readonly target: DraftTree;
  readonly chmod: Chmod;
  readonly owner: Owner | undefined;
  readonly created: CreatedDirectory;
  /** Distinguishes links within an item from those within another. */
  readonly item: number;
}

/**
 * The entries of the layer that copying `items` in order makes; none if nothing changes.
 * @throws TsbuildError `COPY_SOURCE` if a file would replace a directory or the other way round; `ARCHIVE`
 */
export function planCopy(items: readonly CopyItem[], destination: CopyDestination): LayerInput[] {
  const target = new DraftTree(destination.base);
  const chmod = destination.chmod ?? NO_CHMOD;
  const { owner, createdTime: mtime } = destination;
  const root = owner ?? { uid: 0, gid: 0 };
  const { path, isDirectory } = destinationPath(destination);
  for (const [item, copied] of items.entries()) {
    const archive = destination.archives?.get(copied);
    const created = { ...root, mode: archive === undefined ? chmod.created : 0o755, mtime };
    const copying = { target, chmod, owner, created, item };
    if (archive !== undefined) {
      const at = resolvePath(target, path, { followLast: true }).path;
      target.makeDirectory(at, created);
      extractArchive(archive, { target, directory: at, owner, mtime, item });
    } else copyItem(copied, path, isDirectory, copying);
  }
  return target.toEntries();
}

/** Cleaned as text, before any link is looked at: `..` takes back the component before it. */
function destinationPath({ path, workdir }: CopyDestination): {
  path: string;
  isDirectory: boolean;
} {
  const absolute = path.startsWith('/') ? path : `${workdir}/${path}`;
  return { path: cleanPath(absolute), isDirectory: path === '' || /(^|\/)\.?$/.test(path) };
}

function copyItem(item: CopyItem, path: string, isDirectory: boolean, copying: Copying): void {
  const { target, created } = copying;
  const onTheWay = isDirectory ? path : parentPath(path);
  target.makeDirectory(resolvePath(target, onTheWay, { followLast: true }).path, created);
  const resolved = resolvePath(target, path, { followLast: true });
  if (item.node.type === 'directory') {
    copyDirectory(item, resolved.path, copying);
    return;
  }
  const isInside = resolved.node?.type === 'directory';
  const at = isInside ? joinPath(resolved.path, item.name) : resolved.path;
  target.makeDirectory(parentPath(at), created);
  putFile(at, item.node, copying);
}

function copyDirectory(item: CopyItem, at: string, copying: Copying): void {
  const { target, created } = copying;
  const existing = target.lookup(at);
  if (existing !== undefined && existing.type !== 'directory') throw notADirectory(at);
  target.makeDirectory(at, created);
  for (const { path, node, isPassage } of item.entries) {
    const to = joinPath(at, path);
    if (node.type === 'directory') putDirectory(to, node, isPassage === true, copying);
    else putFile(to, node, copying);
  }
}

function putDirectory(at: string, node: FileNode, isPassage: boolean, copying: Copying): void {
  const existing = copying.target.lookup(at);
  if (existing !== undefined && existing.type !== 'directory') throw notADirectory(at);
  // As the engine has it: a directory that is only passed through gives an existing one its mode, and nothing else.
  const merged =
    isPassage && existing !== undefined ? { ...existing, mode: node.mode } : finish(node, copying);
  copying.target.put(at, merged);
}

function putFile(at: string, node: FileNode, copying: Copying): void {
  const existing = copying.target.lookup(at);
  if (existing?.type === 'directory') {
    throw new TsbuildError('COPY_SOURCE', `copy to /${displayName(at)}: a directory is there`, {
      hint: `A file cannot replace a directory; remove /${displayName(at)} in an earlier RUN, or choose another destination.`,
    });
  }
  copying.target.put(at, finish(node, copying), existing);
}

function finish(node: FileNode, { chmod, owner, item }: Copying): FileNode {
  const mode =
    node.type === 'symlink' ? node.mode : chmod.apply(node.mode, node.type === 'directory');
  const { uid, gid } = owner ?? node;
  // Whole seconds, as the engine has it: a fraction would cost each file of the layer a kilobyte of extended header.
  const mtime = node.mtime - (node.mtime % 1_000_000_000n);
  return { ...node, mode, uid, gid, mtime, inode: node.inode && `${item}:${node.inode}` };
}

function notADirectory(at: string): TsbuildError {
  const name = displayName(at);
  return new TsbuildError('COPY_SOURCE', `copy a directory to /${name}: no directory is there`, {
    hint: `/${name} (${displayName(baseName(at))}) is a file or a link; remove it in an earlier RUN, or choose another destination.`,
  });
}
