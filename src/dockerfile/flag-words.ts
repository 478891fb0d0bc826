import { isSpace } from './space.ts';

/**
 * Takes the words that begin with `--` off the front of an instruction's rest, quotes and escapes removed (the escape is
 * `\` here, whatever the file's own is). A bare `--` ends them.
 */
export function takeFlags(rest: string): { flags: string[]; rest: string } {
  const flags: string[] = [];
  let position = 0;
  for (;;) {
    while (isSpace(rest[position])) position++;
    if (!rest.startsWith('--', position)) return { flags, rest: rest.slice(position) };
    const word = readWord(rest, position);
    position = word.end;
    if (word.text === '--') return { flags, rest: rest.slice(position) };
    flags.push(word.text);
  }
}

function readWord(rest: string, start: number): { text: string; end: number } {
  let text = '';
  let quote = '';
  let position = start;
  for (; position < rest.length; position++) {
    let character = rest[position]!;
    if (quote === '' && isSpace(character)) break;
    if (character === quote) {
      quote = '';
      continue;
    }
    if (quote === '' && (character === '"' || character === "'")) {
      quote = character;
      continue;
    }
    if (character === '\\') {
      if (position + 1 === rest.length) continue;
      character = rest[++position]!;
    }
    text += character;
  }
  return { text, end: position };
}
