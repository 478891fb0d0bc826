/**
 * An archive as files: its entries are laid out below a directory, in their order, as if that were the root of a
 * filesystem. Links that earlier entries or others put there are followed on the way to an entry; as in the engine, one that
 * leads out of the directory is refused, and an absolute one begins at it. What an entry names is replaced, be it a link or
 * a directory.
 */
import { TsbuildError } from '../errors.ts';
import { displayName } from '../host/path-bytes.ts';
import { archiveError, type TarEntry } from '../tar/entry.ts';
import { entryPath } from '../tar/entry-path.ts';
import { DraftTree } from '../tree/draft-tree.ts';
import {
  baseName,
  EMPTY_TREE,
  type FileNode,
  type FileTree,
  joinPath,
  parentPath,
} from '../tree/file-tree.ts';
import { resolvePath } from '../tree/resolve.ts';
import { subtree } from '../tree/subtree.ts';
import type { Owner } from '../tree/users.ts';
import type { Archive } from './archive.ts';

export interface Extraction {
  readonly target: DraftTree;
  /** Exists, and has no links in its path. */
  readonly directory: string;
  /** `--chown`, instead of the owners in the archive. */
  readonly owner: Owner | undefined;
  /** mtime of directories that the archive does not list. */
  readonly mtime: bigint;
  /** Sets the links of this archive apart from others'. */
  readonly item: number;
}

/**
 * The files of an archive that is a context, with the owners that it names: its author chose them.
 * @throws TsbuildError `ARCHIVE`
 */
export function archiveTree(archive: Archive): FileTree {
  const target = new DraftTree(EMPTY_TREE);
  extractArchive(archive, { target, directory: '', owner: undefined, mtime: 0n, item: 0 });
  return target;
}

/** @throws TsbuildError `ARCHIVE` naming an entry that leads out, or that cannot be where it says. */
export function extractArchive(archive: Archive, extraction: Extraction): void {
  const { target, directory } = extraction;
  const view = subtree(target, directory);
  let count = 0;
  for (const entry of archive.entries()) {
    count += 1;
    const path = entryPath(entry.name);
    // The archive's own root has no say in what the destination is like.
    if (path === '') continue;
    const at = joinAt(directory, placeOf(path, view, entry, extraction));
    const node =
      entry.type === 'link'
        ? linkedNode(entry, view, extraction, count)
        : toNode(entry, archive, extraction.owner);
    target.put(at, node);
  }
}

/** The path of an entry below the destination, its parents made and their links followed. */
function placeOf(path: string, view: FileTree, entry: TarEntry, extraction: Extraction): string {
  const { target, directory, mtime } = extraction;
  try {
    const parent = resolveParent(view, path);
    // Not --chown: the engine leaves what the archive does not list to root.
    target.makeDirectory(joinAt(directory, parent), { uid: 0, gid: 0, mode: 0o755, mtime });
    return joinPath(parent, baseName(path));
  } catch (cause) {
    throw new TsbuildError('ARCHIVE', `extract ${displayName(entry.name)}: not in a directory`, {
      cause,
    });
  }
}

function resolveParent(view: FileTree, path: string): string {
  return resolvePath(view, parentPath(path), { followLast: true, strict: true }).path;
}

function toNode(entry: TarEntry, archive: Archive, owner: Owner | undefined): FileNode {
  const { type, mode, uid, gid, size, mtime, device, xattrs } = entry;
  return {
    type: type as FileNode['type'],
    mode,
    uid: owner?.uid ?? uid,
    gid: owner?.gid ?? gid,
    size,
    mtime,
    ...(type === 'symlink' ? { linkTarget: entry.linkName ?? '' } : {}),
    ...(device === undefined ? {} : { device }),
    ...(xattrs === undefined ? {} : { xattrs }),
    ...(type === 'file' ? { content: archive.contentOf(entry) } : {}),
  };
}

/** A hard link: another name for a file below the destination, of the archive or of the image. */
function linkedNode(
  entry: TarEntry,
  view: FileTree,
  extraction: Extraction,
  count: number,
): FileNode {
  const path = entryPath(entry.linkName ?? '', entry.name);
  const source = joinPath(resolveParent(view, path), baseName(path));
  const node = view.lookup(source);
  if (node === undefined || node.type === 'directory') {
    const target = JSON.stringify(displayName(entry.linkName ?? ''));
    throw archiveError(`its link target ${target} is not a file`, entry.name);
  }
  const { uid, gid } = extraction.owner ?? entry;
  if (node.inode !== undefined && node.uid === uid && node.gid === gid) return node;
  // The owner of the link is set on the file, which may be the image's.
  const inode = node.inode ?? `${extraction.item}:link:${count}`;
  const linked = { ...node, uid, gid, inode };
  extraction.target.put(joinAt(extraction.directory, source), linked);
  return linked;
}

function joinAt(directory: string, path: string): string {
  return path === '' ? directory : joinPath(directory, path);
}
