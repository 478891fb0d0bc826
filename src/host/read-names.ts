/** What is in a directory of this host. */
import { readdirSync } from 'node:fs';
import { decodeName, encodeName, fsPath } from './path-bytes.ts';

/**
 * The names in a directory, sorted by code unit. Decoding all of them as text is fast; a name that is not text has a
 * replacement character then, and all are read once more.
 */
export function readNames(directory: string): string[] {
  const names = readdirSync(fsPath(directory));
  if (!names.some((name) => name.includes('\ufffd'))) return names.sort();
  return readdirSync(encodeName(directory), { encoding: 'buffer' }).map(decodeName).sort();
}
