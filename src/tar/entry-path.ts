/** Turns names in archives into paths of a tree, and refuses those that point out of it. */
import { encodeName } from '../host/path-bytes.ts';
import { archiveError, MAX_NAME_BYTES } from './entry.ts';

/**
 * The tree path of an entry's name or of a hard link's target: `./a//b/`, `/a/b` and `a/b` are all `a/b`; the root is ''.
 * A leading slash is dropped, as Docker and tar do. `..` inside is taken away with the component before it.
 * @throws TsbuildError `ARCHIVE` naming the entry, when `..` leads out of the root or a component is too long.
 */
export function entryPath(name: string, entryName = name): string {
  const start = name.startsWith('./') ? 2 : 0;
  const plain = name.slice(start, name.endsWith('/') ? -1 : undefined);
  if (isClean(plain)) return plain;
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (parts.pop() === undefined)
        throw archiveError(`${escaped(name, entryName)} out of the archive's root`, entryName);
      continue;
    }
    if (part.length * 3 > MAX_NAME_BYTES && encodeName(part).length > MAX_NAME_BYTES) {
      throw archiveError('a component of its name is longer than 255 bytes', entryName);
    }
    if (part.includes('\0')) throw archiveError('its name contains a NUL', entryName);
    parts.push(part);
  }
  return parts.join('/');
}

/**
 * Most names are, but for `./` before them and a slash behind them: relative, ASCII letters and the like, no empty or dotted
 * component, no long one.
 */
function isClean(name: string): boolean {
  return name.length <= 85 && /^[^/.\0][^/\0]*(?:\/[^/.\0][^/\0]*)*$/.test(name);
}

function escaped(name: string, entryName: string): string {
  return name === entryName ? 'it leads' : `its link target ${JSON.stringify(name)} leads`;
}
