/** Directories that nobody needs any more: removed at once, or moved aside and removed when there is time. */
import { mkdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { fsPath } from '../host/path-bytes.ts';
import { readNames } from '../host/read-names.ts';

/** So many files are removed in less than the time that it takes to start a process for it. */
const FEW = 100;

/** `trash` is on the same filesystem. What does not exist is gone already. */
export function discard(path: string, trash: string): void {
  if (removed(path, { files: FEW })) return;
  mkdirSync(trash, { recursive: true });
  try {
    renameSync(path, freeName(trash));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** Whether a directory is gone now, with all in it: as much is removed as `budget` allows. Node's own way asks twice as much. */
function removed(directory: string, budget: { files: number }): boolean {
  try {
    for (const name of readNames(directory)) {
      budget.files -= 1;
      if (budget.files < 0) return false;
      const file = `${directory}/${name}`;
      if (!unlinked(file) && !removed(file, budget)) return false;
    }
    rmdirSync(fsPath(directory));
    return true;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return false;
  }
}

/** False for a directory. */
function unlinked(file: string): boolean {
  try {
    unlinkSync(fsPath(file));
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'EISDIR') throw error;
    return false;
  }
}

/** A clock that only goes forward names each thing once. */
function freeName(trash: string): string {
  return join(trash, process.hrtime.bigint().toString(36));
}
