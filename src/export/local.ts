/**
 * `type=local`: the files of the image in a directory of this machine, owned by whoever runs this. What is in the way is
 * replaced, other files stay.
 *
 * The directory may hold anything, also what an earlier, hostile image left there, such as a symlink to `/etc` by the name of a
 * directory of this one. So every directory is opened as what it is, links not followed, and its entries are reached through
 * the descriptor, `/proc/self/fd/N/name`: as with openat(2), nothing that happens to the path meanwhile leads elsewhere.
 */
import fs from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { TsbuildError } from '../errors.ts';
import { diskError } from '../host/disk-error.ts';
import { displayName, fsPath } from '../host/path-bytes.ts';
import { type ContentCopier, openContentCopier } from '../layer/content-copier.ts';
import type { Store } from '../store/store.ts';
import { type FileNode, type FileTree, joinPath } from '../tree/file-tree.ts';
import type { Exporter, ExportRequest } from './exporter.ts';
import { makeSpecial, setAttributes, setFileAttributes } from './local-attributes.ts';
import { platformTrees } from './platform-trees.ts';

export function localExporter(store: Store): Exporter {
  return {
    type: 'local',
    async export({ images, destination, ...options }) {
      if (!('directory' in destination)) {
        throw new TsbuildError('OUTPUT', 'type=local writes a directory, not an archive', {
          hint: 'use type=tar',
        });
      }
      const root = openRoot(destination.directory);
      try {
        for (const { prefix, tree } of platformTrees(store, images, options.platformSplit))
          await writeTree(root, prefix, tree, options);
      } finally {
        fs.closeSync(root);
      }
    },
  };
}

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY, O_WRONLY, O_CREAT, O_EXCL } = fs.constants;

/** The directory itself may be a symlink: the caller has named it. */
function openRoot(directory: string): number {
  try {
    fs.mkdirSync(directory, { recursive: true });
    return fs.openSync(directory, O_RDONLY | O_DIRECTORY);
  } catch (error) {
    throw diskError(error, `write to ${directory}`, 'OUTPUT');
  }
}

interface WrittenFile {
  /** Relative to `target`. */
  readonly path: string;
  readonly dev: number;
  readonly ino: number;
}

interface Writing {
  /** The open directory that the tree's root goes into. */
  readonly target: number;
  readonly tree: FileTree;
  readonly content: ContentCopier;
  /** Inode to the file that was written for it. */
  readonly links: Map<string, WrittenFile>;
  readonly turn: (bytes: number) => Promise<void>;
}

async function writeTree(
  root: number,
  prefix: string,
  tree: FileTree,
  options: Pick<ExportRequest, 'signal' | 'onProgress'>,
): Promise<void> {
  const target = prefix === '' ? root : enter(root, prefix);
  const content = openContentCopier();
  try {
    const writing = { target, tree, content, links: new Map(), turn: turnTaker(options) };
    await writeDirectory(writing, target, '');
  } finally {
    content.close();
    if (target !== root) fs.closeSync(target);
  }
}

const BYTES_BETWEEN_TURNS = 16 * 1024 * 1024;
/** What a file costs besides its bytes, in bytes. */
const FILE_COST = 64 * 1024;

/** Writing is synchronous, which is several times faster; a signal is noticed now and then. */
function turnTaker({ signal, onProgress }: Pick<ExportRequest, 'signal' | 'onProgress'>) {
  let written = 0;
  let due = 0;
  return async (bytes: number) => {
    written += bytes;
    due += bytes + FILE_COST;
    if (due < BYTES_BETWEEN_TURNS) return;
    due = 0;
    onProgress?.(written);
    await setImmediate();
    signal?.throwIfAborted();
  };
}

/** `parent` is an open directory of ours, `path` what it is in the tree. */
async function writeDirectory(writing: Writing, parent: number, path: string): Promise<void> {
  for (const name of writing.tree.list(path)) {
    const at = joinPath(path, name);
    const node = writing.tree.lookup(at);
    if (node === undefined) continue;
    if (node.type === 'directory') {
      const directory = reporting(at, () => enter(parent, name));
      try {
        await writeDirectory(writing, directory, at);
        // Last: its mode may forbid to write in it, and writing changes its time.
        reporting(at, () => setAttributes(within(directory, '.'), node));
      } finally {
        fs.closeSync(directory);
      }
    } else {
      reporting(at, () => writeLeaf(writing, parent, name, at, node));
    }
    await writing.turn(node.size);
  }
}

/** Opens the directory `name`, made if need be; anything else of that name is replaced. */
function enter(parent: number, name: string): number {
  const path = within(parent, name);
  const stat = fs.lstatSync(path, { throwIfNoEntry: false });
  if (stat !== undefined && !stat.isDirectory()) fs.unlinkSync(path);
  if (!stat?.isDirectory()) fs.mkdirSync(path, 0o700);
  // One that an earlier export made read-only must let its owner write again.
  else if ((stat.mode & 0o700) !== 0o700) fs.chmodSync(path, 0o700);
  return fs.openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

function writeLeaf(
  writing: Writing,
  parent: number,
  name: string,
  at: string,
  node: FileNode,
): void {
  const path = within(parent, name);
  fs.rmSync(path, { recursive: true, force: true });
  if (node.type === 'file' && linkAgain(writing, path, node)) return;
  if (node.type === 'file') writeFile(writing, path, at, node);
  else if (node.type === 'symlink') fs.symlinkSync(fsPath(node.linkTarget ?? ''), path);
  else makeSpecial(path, node);
  if (node.type !== 'file') setAttributes(path, node);
}

/** Another name of a file that was written already, if that still is where it was. */
function linkAgain({ target, links }: Writing, path: string | Buffer, node: FileNode): boolean {
  const first = node.inode === undefined ? undefined : links.get(node.inode);
  if (first === undefined) return false;
  try {
    fs.linkSync(within(target, first.path), path);
  } catch {
    return false; // Too many links, or somebody removed it: a copy then.
  }
  const { dev, ino } = fs.lstatSync(path);
  if (dev === first.dev && ino === first.ino) return true;
  fs.unlinkSync(path);
  return false;
}

function writeFile(
  { content, links }: Writing,
  path: string | Buffer,
  at: string,
  node: FileNode,
): void {
  // O_EXCL also refuses a symlink that has come to be there since.
  const fd = fs.openSync(path, O_WRONLY | O_CREAT | O_EXCL, 0o600);
  try {
    if (node.content) content.copy(node.content, fd);
    setFileAttributes(fd, path, node);
    if (node.inode === undefined) return;
    const { dev, ino } = fs.fstatSync(fd);
    links.set(node.inode, { path: at, dev, ino });
  } finally {
    fs.closeSync(fd);
  }
}

/** The entry `name` of an open directory. */
function within(directory: number, name: string): string | Buffer {
  return fsPath(`/proc/self/fd/${directory}/${name}`);
}

function reporting<T>(at: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw diskError(error, `write ${displayName(at)}`, 'OUTPUT');
  }
}
