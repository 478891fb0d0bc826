/**
 * Here-documents: `<<NAME` in RUN, COPY, ADD, or in such an instruction inside ONBUILD, takes the lines that follow the
 * instruction as a text, up to a line that is just NAME.
 *
 * The markers of a line are found as a shell would find them: by dividing the line into words with quotes and escapes
 * kept, so that one inside quotes is none. A line that cannot be divided (`echo it's <<EOF`) has no markers at all.
 */
import { splitWords, WordError, type WordOptions } from './words.ts';

export interface HeredocMarker {
  /** The name of the terminator, quotes removed. */
  readonly name: string;
  /** Whether variables in the text are expanded: no part of the name was quoted. */
  readonly expand: boolean;
  /** `<<-`: leading tabs are stripped from the text and before the terminator. */
  readonly chomp: boolean;
  /** The number before `<<`, else 0. */
  readonly fd: number;
}

export interface Heredoc extends HeredocMarker {
  /** The lines with their ends, before tabs are stripped and variables expanded. */
  readonly content: string;
}

const MARKER = /^(\d*)<<(-?)([^<]*)$/s;
/** `\` escapes in a shell line, whatever the file's own escape character is. */
const RAW = { escape: '\\', rawQuotes: true, rawEscapes: true, keepUnset: true } as const;
const QUOTED = { escape: '\\', rawQuotes: true, keepUnset: true } as const;
/** A name is taken as written, so `<<$x` ends at `$x`; with `${x:-y}` in it, it is no name. */
const NAME = { escape: '\\', keepUnset: true, plainNamesOnly: true } as const;

/** The markers in a logical line, in order. */
export function heredocMarkers(line: string): HeredocMarker[] {
  if (!line.includes('<<')) return [];
  return joinMarkers(wordsOrNone(line, RAW)).flatMap((word) => parseHeredocMarker(word) ?? []);
}

/** `<< NAME` is `<<NAME`; `<<- NAME` is nothing. */
function joinMarkers(words: readonly string[]): string[] {
  const joined: string[] = [];
  for (const word of words) {
    if (joined.at(-1)?.endsWith('<<')) joined.push(joined.pop() + word);
    else joined.push(word);
  }
  return joined;
}

/** Reads one word as a marker. */
export function parseHeredocMarker(word: string): HeredocMarker | undefined {
  const match = MARKER.exec(word);
  if (match === null || match[3] === '') return undefined;
  const rest = match[3]!;
  const [name, ...more] = wordsOrNone(rest, NAME);
  if (name === undefined || more.length > 0) return undefined;
  return {
    name,
    // Taking quotes away changed nothing, so nothing was quoted; an escape character quotes nothing here.
    expand: wordsOrNone(rest, QUOTED)[0] === name,
    chomp: match[2] === '-',
    fd: Number(match[1] || 0),
  };
}

/** The text as the instruction uses it: with `<<-`, without the tabs that lines begin with. */
export function heredocText(heredoc: Heredoc): string {
  return heredoc.chomp ? heredoc.content.replace(/^\t+/gm, '') : heredoc.content;
}

function wordsOrNone(line: string, options: WordOptions): string[] {
  try {
    return splitWords(line, {}, options);
  } catch (error) {
    if (error instanceof WordError) return [];
    throw error;
  }
}
