/** Files that nobody needs any more: moved aside at once, removed when there is time. */
import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';

/** Moves a file or directory into `trash`, on the same filesystem. What does not exist is gone already. */
export function discard(path: string, trash: string): void {
  mkdirSync(trash, { recursive: true });
  try {
    renameSync(path, freeName(trash));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

/** A clock that only goes forward names each thing once. */
function freeName(trash: string): string {
  return join(trash, process.hrtime.bigint().toString(36));
}
