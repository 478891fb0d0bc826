/**
 * How the rest of a logical line becomes arguments: four ways to divide it, and which instruction uses which.
 * Nothing is expanded or unquoted here; words keep their quotes and escapes until words.ts sees them.
 */
import { parseStringArray } from './json-array.ts';
import { cutAtSpaces, isSpace, splitAtSpaces, trimStart } from './space.ts';
import type { EscapeCharacter, RawArguments, RawPair } from './syntax.ts';
import { SyntaxFault } from './syntax-error.ts';
import { isPlainWord } from './words.ts';

type ArgumentReader = (rest: string, escapeCharacter: EscapeCharacter) => RawArguments;

/** By lower-case instruction word. ONBUILD is not here: its argument is an instruction. */
export const ARGUMENT_READERS: ReadonlyMap<string, ArgumentReader> = new Map<
  string,
  ArgumentReader
>([
  ['add', arrayOrWords],
  ['arg', (rest, escapeCharacter) => none(quotedWords(rest, escapeCharacter))],
  ['cmd', arrayOrCommand],
  ['copy', arrayOrWords],
  ['entrypoint', arrayOrCommand],
  ['env', (rest, escapeCharacter) => pairs('ENV', rest, escapeCharacter)],
  ['expose', (rest) => none(spacedWords(rest))],
  ['from', (rest) => none(spacedWords(rest))],
  ['healthcheck', kindAndCommand],
  ['label', (rest, escapeCharacter) => pairs('LABEL', rest, escapeCharacter)],
  ['maintainer', (rest) => none(wholeRest(rest))],
  ['run', arrayOrCommand],
  ['shell', arrayOrCommand],
  ['stopsignal', (rest) => none(wholeRest(rest))],
  ['user', (rest) => none(wholeRest(rest))],
  ['volume', arrayOrWords],
  ['workdir', (rest) => none(wholeRest(rest))],
]);

export function none(args: readonly string[]): RawArguments {
  return { form: 'none', args };
}

function wholeRest(rest: string): string[] {
  return rest === '' ? [] : [rest];
}

function spacedWords(rest: string): string[] {
  return rest === '' ? [] : splitAtSpaces(rest);
}

function arrayOrCommand(rest: string): RawArguments {
  if (rest === '') return none([]);
  const array = parseStringArray(rest);
  return array === undefined ? { form: 'shell', args: [rest] } : { form: 'exec', args: array };
}

function arrayOrWords(rest: string): RawArguments {
  if (rest === '') return none([]);
  const array = parseStringArray(rest);
  return array === undefined ? none(spacedWords(rest)) : { form: 'exec', args: array };
}

/** HEALTHCHECK: `NONE`, or `CMD` and what CMD takes. */
function kindAndCommand(rest: string): RawArguments {
  if (rest === '') return none([]);
  const end = Array.prototype.findIndex.call(rest, isSpace);
  const kind = end === -1 ? rest : rest.slice(0, end);
  const command = arrayOrCommand(end === -1 ? '' : trimStart(rest.slice(end)));
  return { form: command.form, args: [kind, ...command.args] };
}

/** Words divided at white space that is neither quoted nor escaped. */
export function quotedWords(rest: string, escapeCharacter: EscapeCharacter): string[] {
  if (isPlainWord(rest)) return [rest];
  const words: string[] = [];
  let word = '';
  let quote = '';
  for (let i = 0; i < rest.length; i++) {
    const character = rest[i]!;
    if (quote === '' && isSpace(character)) {
      if (word !== '') words.push(word);
      word = '';
      continue;
    }
    if (character === escapeCharacter && quote !== "'") {
      // An escape character at the very end escapes nothing and is dropped.
      if (i + 1 < rest.length) word += character + rest[++i];
      continue;
    }
    if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === quote) quote = '';
    word += character;
  }
  if (word !== '') words.push(word);
  return words;
}

/** `KEY=VALUE …`, or the old `KEY VALUE`, which the first word tells: it has no `=`. */
function pairs(name: string, rest: string, escapeCharacter: EscapeCharacter): RawArguments {
  const words = quotedWords(rest, escapeCharacter);
  if (words.length === 0) return { ...none([]), pairs: [] };
  if (!words[0]!.includes('=')) {
    const [key, value] = cutAtSpaces(rest);
    if (value === undefined) {
      throw new SyntaxFault(`${name} must have two arguments`, {
        hint: `write ${name} ${key}=value`,
      });
    }
    return { ...none([]), pairs: [{ key, value, separator: '' }] };
  }
  return { ...none([]), pairs: words.map((word) => pair(name, word)) };
}

function pair(name: string, word: string): RawPair {
  const equals = word.indexOf('=');
  if (equals === -1) {
    throw new SyntaxFault(
      `${name}: no = in ${JSON.stringify(word)}, which must have the form name=value`,
      {
        hint: 'put a value with spaces in double quotes',
      },
    );
  }
  return { key: word.slice(0, equals), value: word.slice(equals + 1), separator: '=' };
}
