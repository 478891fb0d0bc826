/**
 * Wildcards of COPY and ADD: Go's `filepath.Match`, no more and no less (https://pkg.go.dev/path/filepath#Match).
 * `*` and `?` stop at slashes, classes are negated by `^` alone and may match a slash, braces and `**` mean nothing
 * special, names that begin with a dot are like all others. Packages for shell-like globs (fast-glob, ignore) differ in
 * each of these points, so a pattern is translated to a regular expression here.
 */
import { type FileTree, joinPath } from './file-tree.ts';

/** Whether COPY takes `word` for a pattern at all. Backslash escapes the next character. */
export function hasWildcards(word: string): boolean {
  return /[*?[]/.test(word.replace(/\\./gsu, ''));
}

/** `undefined` when the pattern is malformed: an open class, an empty one, a backslash at the end. */
export function compileGlob(pattern: string): RegExp | undefined {
  const characters = [...pattern];
  let source = '';
  for (let at = 0; at < characters.length; ) {
    const character = characters[at]!;
    if (character === '[') {
      const parsed = parseClass(characters, at);
      if (parsed === undefined) return undefined;
      source += parsed.source;
      at = parsed.end;
      continue;
    }
    if (character === '\\') {
      at += 1;
      if (at === characters.length) return undefined;
      source += escapeRegExp(characters[at]!);
    } else if (character === '*') source += '[^/]*';
    else source += character === '?' ? '[^/]' : escapeRegExp(character);
    at += 1;
  }
  return new RegExp(`^${source}$`, 'u');
}

/**
 * The paths in `tree` that match, in the order of a walk. What lies below a match does not count, and links on the way
 * are not followed: `base` is a directory, resolved already. `undefined` when the pattern is malformed.
 */
export function expandGlob(
  tree: FileTree,
  base: string,
  pattern: string,
): readonly string[] | undefined {
  const whole = compileGlob(pattern);
  if (whole === undefined) return undefined;
  const parts = pattern.split('/').map(compileGlob);
  // A class may match a slash: such a pattern cannot be taken apart, and the whole tree has to be walked.
  const separable = !pattern.includes('[') && parts.every((part) => part !== undefined);
  const found: string[] = [];
  const walk = (directory: string, relative: string, depth: number): void => {
    for (const name of tree.list(directory)) {
      const path = joinPath(relative, name);
      const here = joinPath(directory, name);
      if (whole.test(path)) found.push(here);
      else if (!separable || (depth < parts.length - 1 && parts[depth]!.test(name))) {
        walk(here, path, depth + 1);
      }
    }
  };
  walk(base, '', 0);
  return found;
}

/** `[` `^`? ranges `]` that begins at `start`. As in Go, `-` and `]` must be escaped to stand for themselves. */
function parseClass(
  characters: readonly string[],
  start: number,
): { source: string; end: number } | undefined {
  let at = start + 1;
  const negated = characters[at] === '^';
  if (negated) at += 1;
  const literal = (): string | undefined => {
    const character = characters[at++];
    if (character === '\\') return characters[at++];
    return character === '-' || character === ']' ? undefined : character;
  };
  let ranges = '';
  for (let first = true; first || characters[at] !== ']'; first = false) {
    const low = literal();
    if (low === undefined) return undefined;
    let high: string | undefined = low;
    if (characters[at] === '-') {
      at += 1;
      high = literal();
    }
    if (high === undefined || at >= characters.length) return undefined;
    // Go lets a range from high to low match nothing; the engine refuses it a step before that.
    if (low.codePointAt(0)! > high.codePointAt(0)!) return undefined;
    ranges += `${escapeRegExp(low)}-${escapeRegExp(high)}`;
  }
  return { source: `[${negated ? '^' : ''}${ranges}]`, end: at + 1 };
}

/** One character as itself, also inside a class and with the `u` flag. */
export function escapeRegExp(character: string): string {
  return /[\^$\\.*+?()[\]{}|/-]/.test(character)
    ? `\\u{${character.codePointAt(0)!.toString(16)}}`
    : character;
}
