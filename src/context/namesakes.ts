/**
 * Where else in a directory something has the name that a COPY looks for in vain. This runs when a build has failed, on a
 * directory of any size, for the sake of one sentence: it takes little time, goes not too deep, and skips what is not the
 * user's own. fast-glob walks with many calls at once and can be stopped, which our own trees, made for reading all of a
 * context in order, cannot; what COPY's patterns mean is not its language, and stays tree/glob.ts.
 */
import { addAbortSignal, type Readable } from 'node:stream';
import fastGlob from 'fast-glob';

export interface NamesakeLimits {
  readonly depth?: number;
  readonly count?: number;
  /** Ends the search; what was found by then is returned. */
  readonly signal?: AbortSignal;
}

const MILLISECONDS = 300;
const NOT_LOOKED_AT = ['**/.git', '**/node_modules/**'];

/** Paths of files and directories called `name`, in whatever case, in the order in which they were found. */
export async function findNamesakes(
  root: string,
  name: string,
  { depth = 8, count = 200, signal = AbortSignal.timeout(MILLISECONDS) }: NamesakeLimits = {},
): Promise<readonly string[]> {
  const found: string[] = [];
  const stream = fastGlob.stream(`**/${fastGlob.escapePath(name)}`, {
    cwd: root,
    deep: depth,
    ignore: NOT_LOOKED_AT,
    caseSensitiveMatch: false,
    dot: true,
    onlyFiles: false,
    followSymbolicLinks: false,
    suppressErrors: true,
  }) as Readable;
  try {
    for await (const path of addAbortSignal(signal, stream)) {
      found.push(String(path));
      if (found.length >= count) break;
    }
  } catch {
    // Stopped, or something cannot be read: what was found by then is enough for a hint.
  }
  return found;
}
