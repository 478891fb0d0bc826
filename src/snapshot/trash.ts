/** Directories that nobody needs any more: removed at once, or moved aside and removed when there is time. */
import { lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { fsPath } from '../host/path-bytes.ts';
import { readNames } from '../host/read-names.ts';

/** So many files are removed in less than the time that it takes to start a process for it. */
const FEW = 100;

/** `trash` is on the same filesystem. What does not exist is gone already. */
export function discard(path: string, trash: string): void {
  if (hasFew(path)) {
    rmSync(path, { recursive: true, force: true });
    return;
  }
  mkdirSync(trash, { recursive: true });
  try {
    renameSync(path, freeName(trash));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function hasFew(path: string): boolean {
  let left = FEW;
  const visit = (directory: string): boolean =>
    readNames(directory).every((name) => {
      left -= 1;
      const file = `${directory}/${name}`;
      return left >= 0 && (!isDirectory(file) || visit(file));
    });
  try {
    return visit(path);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return false;
  }
}

function isDirectory(file: string): boolean {
  return lstatSync(fsPath(file)).isDirectory();
}

/** A clock that only goes forward names each thing once. */
function freeName(trash: string): string {
  return join(trash, process.hrtime.bigint().toString(36));
}
