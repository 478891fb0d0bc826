/**
 * Lists of patterns that exclude or include paths: `.dockerignore`, `--exclude`, `--parents`. The engine has one matcher
 * for them all (https://docs.docker.com/build/concepts/context/#dockerignore-files), which is neither git's nor
 * `filepath.Match`: every pattern starts at the root, `**` spans directories, a pattern that matches a directory
 * matches what lies below, and of several patterns the last decides, `!` making an exception.
 *
 * Its patterns become regular expressions by a translation so literal that parts of that language show through: `\d`
 * is a digit, `[!a]` is an exclamation mark or an a. Dockerfiles depend on what it does, so the translation is kept.
 */
import { compileGlob, escapeRegExp } from './glob.ts';

export interface PathPattern {
  /** Cleaned, without `!`. */
  readonly text: string;
  /** Begins with `!`: what matches is not matched after all. */
  readonly exception: boolean;
  /** Whether the pattern matches this very path; directories above are not looked at. */
  matches(path: string): boolean;
}

export type PathPatterns = readonly PathPattern[];

/** Which patterns matched a directory: what lies in it inherits that. Absent for the root. */
export type MatchState = readonly boolean[];

export interface PathMatch {
  readonly matched: boolean;
  readonly state: MatchState;
  /** The pattern that decided, as an index; -1 if none did. */
  readonly decidedBy: number;
}

/** @throws SyntaxError naming the pattern that is malformed. */
export function parsePatterns(texts: readonly string[]): PathPatterns {
  return texts
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map(parsePattern);
}

/** What the list says about `path`, given what it said about the directory that holds it. */
export function matchPath(patterns: PathPatterns, path: string, parent?: MatchState): PathMatch {
  let matched = false;
  let decidedBy = -1;
  const state: boolean[] = [];
  for (const [index, pattern] of patterns.entries()) {
    // A pattern that cannot change the answer is not asked, and so is not inherited either: patterns below see that.
    const hit =
      parent?.[index] === true || (pattern.exception === matched && pattern.matches(path));
    if (hit) {
      if (matched === pattern.exception) decidedBy = index;
      matched = !pattern.exception;
    }
    state.push(hit);
  }
  return { matched, state, decidedBy };
}

/** False only if no exception can match below `directory`; then a matched directory need not be read. */
export function mayExceptBelow(patterns: PathPatterns, directory: string): boolean {
  return patterns.some(
    ({ exception, text }) =>
      exception && (/[*?[\]\\^]/.test(text) || `${text}/`.startsWith(`${directory}/`)),
  );
}

/** Go's `filepath.Clean`: `a//b/../c/.` to `a/c`; '' to `.`. */
export function cleanPattern(text: string): string {
  const rooted = text.startsWith('/');
  const parts: string[] = [];
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (!rooted) parts.push('..');
  }
  return (rooted ? '/' : '') + parts.join('/') || '.';
}

function parsePattern(written: string): PathPattern {
  const cleaned = cleanPattern(written);
  const exception = cleaned.startsWith('!');
  const text = exception ? cleaned.slice(1) : cleaned;
  if (text === '') throw new SyntaxError('illegal exclusion pattern: "!"');
  if (compileGlob(text) === undefined) throw new SyntaxError(`syntax error in pattern: ${written}`);
  return { text, exception, matches: compile(text) };
}

function compile(text: string): (path: string) => boolean {
  if (!/[*?[\]\\]/.test(text)) return (path) => path === text;
  const suffix = text.slice(2);
  // `**` and `**/` alone, and a leading `**` before anything, whatever it holds, are comparisons of strings.
  if (/^\*\*\/?$/.test(text)) return () => true;
  if (text.startsWith('**') && !/[*?[\]\\]/.test(suffix)) {
    return (path) => path.endsWith(suffix) || `/${path}` === suffix;
  }
  if (/^[^*?[\]\\]*\*\*$/.test(text)) return (path) => path.startsWith(text.slice(0, -2));
  try {
    const expression = new RegExp(toRegExp(text), 'u');
    return (path) => expression.test(path);
  } catch (cause) {
    throw new SyntaxError(`syntax error in pattern: ${text}`, { cause });
  }
}

/** The engine's translation of a pattern to a regular expression, as a Go regular expression. */
function translate(text: string): string {
  const characters = [...text];
  let expression = '';
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at]!;
    if (character === '*' && characters[at + 1] === '*') {
      at += characters[at + 2] === '/' ? 2 : 1;
      expression += at + 1 === characters.length ? '.*' : '(.*/)?';
    } else if (character === '*') expression += '[^/]*';
    else if (character === '?') expression += '[^/]';
    else if (character === '\\') {
      at += 1;
      expression += `\\${characters[at] ?? ''}`;
    } else expression += /[.+()|{}$]/.test(character) ? `\\${character}` : character;
  }
  return `^${expression}$`;
}

/** The same in JavaScript's notation, where a bracket is no character, a class nests, and escapes have other names. */
function toRegExp(text: string): string {
  const characters = [...translate(text)];
  let source = '';
  for (let at = 0; at < characters.length; at += 1) {
    const character = characters[at]!;
    if (character === '[') {
      const parsed = translateClass(characters, at);
      source += parsed.source;
      at = parsed.last;
    } else if (character === '\\') {
      at += 1;
      source += translateEscape(characters[at], false);
    } else source += character === '.' ? '[^\\n]' : character === ']' ? '\\]' : character;
  }
  return source;
}

/** A class that begins at `start`. A bracket right at its beginning is a character of it. */
function translateClass(
  characters: readonly string[],
  start: number,
): { source: string; last: number } {
  const negated = characters[start + 1] === '^';
  const first = start + (negated ? 2 : 1);
  let ranges = '';
  for (let at = first; at < characters.length; at += 1) {
    const character = characters[at]!;
    const name = /^\[:([a-z]+):\]/.exec(characters.slice(at, at + 12).join(''))?.[1];
    if (character === ']' && at > first) {
      return { source: `[${negated ? '^' : ''}${ranges}]`, last: at };
    }
    if (name !== undefined) {
      if (NAMED_CLASSES[name] === undefined) throw new SyntaxError(`unknown class ${name}`);
      ranges += NAMED_CLASSES[name];
      at += name.length + 3;
    } else if (character === '\\') {
      at += 1;
      ranges += translateEscape(characters[at], true);
    } else ranges += character === '-' ? '-' : escapeRegExp(character);
  }
  throw new SyntaxError('missing closing ]');
}

/** ASCII only, as in Go. */
const NAMED_CLASSES: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7f',
  blank: '\\t ',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`\\{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

/** Go's escapes: https://pkg.go.dev/regexp/syntax. Punctuation is itself; what is not listed there is an error. */
function translateEscape(character: string | undefined, inClass: boolean): string {
  if (character === undefined) throw new SyntaxError('trailing backslash');
  if (/[dDwWbBfnrtv]/.test(character)) return `\\${character}`;
  if (character === 's') return inClass ? '\\t\\n\\f\\r ' : '[\\t\\n\\f\\r ]';
  if (character === 'A') return '^';
  if (character === 'z') return '$';
  if (character === 'a') return '\\u{7}';
  if (/[^\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e\x00-\x20\x7f]/.test(character)) {
    throw new SyntaxError(`unknown escape \\${character}`);
  }
  return escapeRegExp(character);
}
