/**
 * Words: what a Dockerfile instruction does with `$NAME`, `${NAME…}`, quotes and escapes.
 *
 * The rules are those of a POSIX shell, less everything that runs something: no command substitution, no arithmetic, no
 * globbing. The escape character is the file's own (`\` or `` ` ``), and
 *  - outside quotes it makes the next character ordinary and vanishes;
 *  - in double quotes it does so only before `"`, `$` and itself, and stays otherwise;
 *  - in single quotes nothing is special.
 * {@link expandWord} keeps unquoted white space; {@link splitWords} divides at it, also where it came from a variable.
 *
 * The same lexer, told to keep quotes and escapes as written, finds the here-document markers of a line (heredoc.ts).
 */
import { replacePattern, trimPattern } from './pattern.ts';
import { isSpace } from './space.ts';

export type Environment = Readonly<Record<string, string>>;

export interface WordOptions {
  /** The escape character in force. */
  readonly escape: string;
  /** Keep quotes in the result. */
  readonly rawQuotes?: boolean;
  /** Keep escape characters in the result. */
  readonly rawEscapes?: boolean;
  /** Quotes are ordinary characters, as in the text of a here-document. */
  readonly ignoreQuotes?: boolean;
  /** A variable that is not set stays in the result as it was written. */
  readonly keepUnset?: boolean;
  /** Refuse `${NAME:-w}` and all other forms that do more than name a variable. */
  readonly plainNamesOnly?: boolean;
}

export interface ExpandedWord {
  readonly result: string;
  /** Names referred to that are set. */
  readonly matched: ReadonlySet<string>;
  /** Names referred to that are not. */
  readonly unmatched: ReadonlySet<string>;
}

/** Substitutes variables and removes quotes and escapes; one word in, one word out. */
export function expandWord(word: string, env: Environment, options: WordOptions): string {
  return lex(word, env, options).result;
}

/** Expands, and divides at white space that was not quoted. */
export function splitWords(word: string, env: Environment, options: WordOptions): string[] {
  return lex(word, env, options).words;
}

/** {@link expandWord}, and which variables it looked at. */
export function expandWordDetails(
  word: string,
  env: Environment,
  options: WordOptions,
): ExpandedWord {
  const { result, matched, unmatched } = lex(word, env, options);
  return { result, matched, unmatched };
}

/** Expands the text of a here-document: quotes are ordinary, and `\` escapes whatever the file's escape character is. */
export function expandHeredoc(content: string, env: Environment): ExpandedWord {
  const { result, matched, unmatched } = lex(content, env, { escape: '\\', ignoreQuotes: true });
  return { result, matched, unmatched };
}

/** White space, quotes, `$`, and all that may be an escape character or a mark are not among these. */
const PLAIN = /^[\w./:=@%+,-]+$/;
const NO_NAMES: ReadonlySet<string> = new Set();

/** Whether a word stands for itself, whatever the variables and options: most do, and need not be read by character. */
export function isPlainWord(word: string): boolean {
  return PLAIN.test(word);
}

function lex(word: string, env: Environment, options: WordOptions) {
  if (isPlainWord(word))
    return { result: word, words: [word], matched: NO_NAMES, unmatched: NO_NAMES };
  const lexer = new Lexer(word, env, options);
  try {
    const { result, words } = lexer.readUntil(undefined, options.rawEscapes ?? false);
    return { result, words, matched: lexer.matched, unmatched: lexer.unmatched };
  } catch (error) {
    if (!(error instanceof WordError)) throw error;
    const message = `failed to process ${JSON.stringify(word)}: ${error.message}`;
    throw new WordError(message, lexer.unmatched);
  }
}

/** A word that cannot be expanded. The caller knows the place and wraps it. */
export class WordError extends Error {
  override readonly name = 'WordError';
  /** Names seen up to there that are not set. */
  readonly unmatched: ReadonlySet<string>;

  constructor(message: string, unmatched: ReadonlySet<string> = new Set()) {
    super(message);
    this.unmatched = unmatched;
  }
}

/** `$1`, `$@` and the like exist in the grammar and are never set. */
const SPECIAL_PARAMETERS = new Set('@*#?-$!0');
const SUBSTITUTIONS = new Set('+-?#%');
/** Nested words recurse; 64 KiB of `${a:-` must be an error and not a full stack. */
const MAX_DEPTH = 500;

class Lexer {
  readonly matched = new Set<string>();
  readonly unmatched = new Set<string>();
  readonly #characters: readonly string[];
  readonly #env: Environment;
  readonly #options: WordOptions;
  #position = 0;
  #depth = 0;
  #rawEscapes = false;

  constructor(word: string, env: Environment, options: WordOptions) {
    this.#characters = Array.from(word);
    this.#env = env;
    this.#options = options;
    // The engine's scanner takes a leading byte order mark for the mark of a file.
    if (this.#peek() === '\ufeff') this.#position++;
  }

  /** Reads up to `stop` (consumed) or, without one, to the end. */
  readUntil(stop: string | undefined, rawEscapes: boolean): { result: string; words: string[] } {
    if (++this.#depth > MAX_DEPTH) throw new WordError('substitutions are nested too deeply');
    const outer = this.#rawEscapes;
    this.#rawEscapes = rawEscapes;
    const words = new WordList();
    let result = '';
    for (let next = this.#peek(); next !== undefined && next !== stop; next = this.#peek()) {
      const piece = this.#readPiece(next);
      result += piece.text;
      if (piece.quoted) words.addQuoted(piece.text);
      else words.add(piece.text);
    }
    if (stop !== undefined && this.#next() === undefined) {
      throw new WordError(`unexpected end of statement while looking for matching ${stop}`);
    }
    this.#rawEscapes = outer;
    this.#depth--;
    return { result, words: words.finish() };
  }

  #peek(): string | undefined {
    return this.#characters[this.#position];
  }

  #next(): string | undefined {
    return this.#characters[this.#position++];
  }

  /** One character, escaped character, quoted string or substitution. */
  #readPiece(next: string): { text: string; quoted: boolean } {
    if (next === '$') return { text: this.#readDollar(), quoted: false };
    if (!this.#options.ignoreQuotes) {
      if (next === "'") return { text: this.#readSingleQuoted(), quoted: true };
      if (next === '"') return { text: this.#readDoubleQuoted(), quoted: true };
    }
    this.#position++;
    if (next !== this.#options.escape) return { text: next, quoted: false };
    const escaped = this.#next() ?? '';
    const text = this.#rawEscapes ? next + escaped : escaped;
    return { text, quoted: text !== '' };
  }

  #readSingleQuoted(): string {
    const end = this.#characters.indexOf("'", this.#position + 1);
    if (end === -1) throw unclosed('single-quote');
    const quote = this.#options.rawQuotes ? "'" : '';
    const text = this.#characters.slice(this.#position + 1, end).join('');
    this.#position = end + 1;
    return quote + text + quote;
  }

  #readDoubleQuoted(): string {
    const quote = this.#options.rawQuotes ? '"' : '';
    let result = quote;
    this.#position++;
    for (;;) {
      const next = this.#peek();
      if (next === undefined) throw unclosed('double-quote');
      if (next === '"') break;
      if (next === '$') result += this.#readDollar();
      else if (next === this.#options.escape) result += this.#readEscapeInDoubleQuotes(next);
      else result += this.#next();
    }
    this.#position++;
    return result + quote;
  }

  #readEscapeInDoubleQuotes(escapeCharacter: string): string {
    this.#position++;
    const kept = this.#rawEscapes ? escapeCharacter : '';
    const next = this.#peek();
    if (next === undefined) return kept;
    if (next !== '"' && next !== '$' && next !== escapeCharacter) return kept + escapeCharacter;
    this.#position++;
    return kept + next;
  }

  #readDollar(): string {
    this.#position++;
    if (this.#peek() !== '{') {
      const name = this.#readName();
      if (name === '') return '$';
      return this.#lookUp(name) ?? (this.#options.keepUnset ? `$${name}` : '');
    }
    this.#position++;
    const first = this.#peek();
    if (first === undefined) throw new WordError("syntax error: missing '}'");
    if (first === '{' || first === '}' || first === ':') {
      throw new WordError('syntax error: bad substitution');
    }
    return this.#readBraced(this.#readName());
  }

  /** What follows the name in `${NAME…}`. */
  #readBraced(name: string): string {
    const operator = this.#next();
    if (operator === '}') {
      return this.#lookUp(name) ?? (this.#options.keepUnset ? `\${${name}}` : '');
    }
    if (this.#options.plainNamesOnly) throw unsupported(operator ?? '');
    if (operator === '/') return this.#readReplacement(name);
    if (operator === ':') return this.#readSubstitution(name, this.#next(), true);
    return this.#readSubstitution(name, operator, false);
  }

  /** `${NAME:-w}`, `${NAME-w}` and so on; with the colon an empty value counts as unset. */
  #readSubstitution(name: string, operator: string | undefined, colon: boolean): string {
    const modifier = (colon ? ':' : '') + (operator ?? '');
    const isTrim = operator === '#' || operator === '%';
    const known = operator !== undefined && SUBSTITUTIONS.has(operator);
    if ((!known && !colon) || (isTrim && colon)) throw unsupported(modifier);
    const word = this.#readOperand('}', isTrim);
    const value = this.#lookUp(name);
    if (value === undefined && this.#options.keepUnset) return `\${${name}${modifier}${word}}`;
    const usable = value !== undefined && !(colon && value === '');
    if (operator === '-') return usable ? value : word;
    if (operator === '+') return usable ? word : '';
    if (operator === '?') {
      if (usable) return value;
      const problem =
        value === undefined ? 'is not allowed to be unset' : 'is not allowed to be empty';
      throw new WordError(`${name}: ${word || problem}`);
    }
    if (!isTrim) throw unsupported(modifier);
    const greedy = word.startsWith(operator);
    return pattern(word, () =>
      trimPattern(
        value ?? '',
        greedy ? word.slice(1) : word,
        operator === '#' ? 'start' : 'end',
        greedy,
      ),
    );
  }

  /** `${NAME/p/r}` and `${NAME//p/r}`. */
  #readReplacement(name: string): string {
    const all = this.#peek() === '/';
    if (all) this.#position++;
    const search = this.#readOperand('/', true);
    const replacement = this.#readOperand('}', true);
    const value = this.#lookUp(name);
    if (value === undefined && this.#options.keepUnset)
      return `\${${name}/${search}/${replacement}}`;
    return pattern(search, () => replacePattern(value ?? '', search, replacement, all));
  }

  #readOperand(stop: string, rawEscapes: boolean): string {
    try {
      return this.readUntil(stop, rawEscapes).result;
    } catch (error) {
      if (!(error instanceof WordError) || this.#position < this.#characters.length) throw error;
      throw new WordError(`syntax error: missing '${stop}'${stop === '/' ? ' in ${}' : ''}`);
    }
  }

  /** A name, a run of digits, or one special parameter; empty when there is none of them. */
  #readName(): string {
    const first = this.#peek();
    if (first === undefined) return '';
    if (isDigit(first)) return this.#readWhile(isDigit);
    if (SPECIAL_PARAMETERS.has(first)) return this.#next()!;
    return this.#readWhile(isNameCharacter);
  }

  #readWhile(belongs: (character: string) => boolean): string {
    const start = this.#position;
    for (let next = this.#peek(); next !== undefined && belongs(next); next = this.#peek()) {
      this.#position++;
    }
    return this.#characters.slice(start, this.#position).join('');
  }

  #lookUp(name: string): string | undefined {
    // `constructor` and `__proto__` are names like any other.
    const value = Object.hasOwn(this.#env, name) ? this.#env[name] : undefined;
    (value === undefined ? this.unmatched : this.matched).add(name);
    return value;
  }
}

// Unicode's properties are looked up only where they are asked for: few Dockerfiles have other letters in a name.
function isDigit(character: string): boolean {
  return character < '\x80' ? /[0-9]/.test(character) : /\p{Nd}/u.test(character);
}

function isNameCharacter(character: string): boolean {
  return character < '\x80' ? /\w/.test(character) : /[\p{L}\p{Nd}]/u.test(character);
}

/** Collects words: unquoted white space ends one, and a word that was only `""` is none. */
class WordList {
  readonly #words: string[] = [];
  #word = '';

  add(text: string): void {
    for (const character of text) {
      if (isSpace(character)) this.#end();
      else this.#word += character;
    }
  }

  addQuoted(text: string): void {
    this.#word += text;
  }

  finish(): string[] {
    this.#end();
    return this.#words;
  }

  #end(): void {
    if (this.#word !== '') this.#words.push(this.#word);
    this.#word = '';
  }
}

function pattern(word: string, run: () => string): string {
  try {
    return run();
  } catch (error) {
    throw new WordError(`invalid pattern (${word}) in substitution: ${(error as Error).message}`);
  }
}

function unclosed(what: string): WordError {
  return new WordError(`unexpected end of statement while looking for matching ${what}`);
}

function unsupported(modifier: string): WordError {
  return new WordError(`unsupported modifier (${modifier}) in substitution`);
}
