/**
 * What the host says of all files below a directory, in a few bytes: equal only while their names, kinds, modes and contents
 * are. Taken without making an object of any of them, it is how a build in which nothing changed passes by a large context.
 */
import { createHash, type Hash } from 'node:crypto';
import { CTIME, MODE, ROW, type StatRows } from '../host/lstat.ts';
import type { FileNode, FileTree } from '../tree/file-tree.ts';
import { joinPath } from '../tree/file-tree.ts';
import { isHostNode } from './directory.ts';
import { settledAt } from './stat-cache.ts';

export interface Stamp {
  readonly sha256: string;
  /** Milliseconds since 1970, from which on a change of any of the files would have shown: see stat-cache.ts. */
  readonly settled: number;
}

export interface Stamper {
  add(text: string): void;
  /** Everything below a directory. Whether the tree knows what the host says; if not, there is no stamp. */
  addTree(tree: FileTree, directory: string): boolean;
  /** The same for one file. */
  addFile(node: FileNode): boolean;
  finish(): Stamp;
}

export function createStamper(): Stamper {
  const hash = createHash('sha256');
  let settled = 0;
  const meet = (seconds: number, nanoseconds: number): void => {
    settled = Math.max(settled, settledAt(seconds, nanoseconds));
  };
  const addTree = (tree: FileTree, directory: string): boolean => {
    const rows = tree.stats?.(directory);
    if (rows === undefined) return false;
    const names = tree.list(directory);
    addText(hash, `${names.length} ${names.join('\0')}`);
    hash.update(withoutDirectories(rows));
    for (const [at, name] of names.entries()) {
      if (isDirectory(rows, at)) addTree(tree, joinPath(directory, name));
      else meet(...ctimeOf(rows, at));
    }
    return true;
  };
  return {
    add: (text) => addText(hash, text),
    addTree,
    addFile(node) {
      if (!isHostNode(node)) return false;
      const { mode, size, mtime, identity } = node;
      const { device, inode, ctime } = identity;
      addText(hash, [mode, size, mtime, device, inode, ctime].join(' '));
      meet(Number(ctime / SECOND), Number(ctime % SECOND));
      return true;
    },
    finish: () => ({ sha256: hash.digest('hex'), settled }),
  };
}

const SECOND = 1_000_000_000n;
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;

/** With its length, so that no two lists of texts are one. */
function addText(hash: Hash, text: string): void {
  hash.update(`${text.length} ${text}\n`);
}

function isDirectory(rows: StatRows, row: number): boolean {
  return (rows[row * ROW + MODE]! & S_IFMT) === S_IFDIR;
}

function ctimeOf(rows: StatRows, row: number): [seconds: number, nanoseconds: number] {
  const at = row * ROW + CTIME;
  return [rows[at]! + rows[at + 1]! * 2 ** 32, rows[at + 2]!];
}

/** Of a directory only the mode matters: what is in it comes after it, and what is hidden in it may change. */
function withoutDirectories(rows: StatRows): StatRows {
  const copy = rows.slice();
  for (let row = 0; row * ROW < copy.length; row += 1)
    if (isDirectory(copy, row)) copy.fill(0, row * ROW + MODE + 1, (row + 1) * ROW);
  return copy;
}
