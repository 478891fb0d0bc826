/**
 * From text to {@link SyntaxTree}: physical lines become logical lines (comments dropped, continuations joined), each of
 * which becomes a node and takes the here-documents that it names from the lines after it.
 *
 * Why this is not left to dockerfile-ast, which the project uses for columns in messages (source-mark.ts): it takes 20 ms
 * to load and 13 ms for a file of 120 instructions, where this takes one; and it differs from the engine in the cases of
 * `test/dockerfile/dockerfile-ast.test.ts`.
 */
import { ARGUMENT_READERS, none } from './argument-words.ts';
import { DirectiveReader } from './directives.ts';
import { takeFlags } from './flag-words.ts';
import { type Heredoc, type HeredocMarker, heredocMarkers } from './heredoc.ts';
import { cutAtSpaces, trim, trimStart } from './space.ts';
import type { EscapeCharacter, SyntaxNode, SyntaxTree } from './syntax.ts';
import { atLines, SyntaxFault } from './syntax-error.ts';

/** A line of this many bytes, its line feed not counted, is refused. */
const MAX_LINE_BYTES = 65_536;

/** Reads a whole file, some of whose lines were no UTF-8. Throws {@link SyntaxFault}. */
export function readSyntax(text: string, notUtf8: ReadonlySet<number> = new Set()): SyntaxTree {
  const source = text.startsWith('\ufeff') ? text.slice(1) : text;
  const physical = source.split('\n');
  if (physical.at(-1) === '') physical.pop();
  checkLineLengths(physical);
  const reader = new SyntaxReader(physical);
  const nodes = reader.readAll();
  if (nodes.length === 0) {
    throw new SyntaxFault('file with no instructions', { line: physical.length });
  }
  return {
    escape: reader.directives.escape,
    directives: reader.directives.found,
    nodes,
    lines: physical.map(trimLineEnd),
    notUtf8,
  };
}

function checkLineLengths(lines: readonly string[]): void {
  for (const [index, line] of lines.entries()) {
    if (line.length * 3 < MAX_LINE_BYTES || Buffer.byteLength(line) < MAX_LINE_BYTES) continue;
    throw new SyntaxFault(`line is longer than ${MAX_LINE_BYTES - 1} bytes`, {
      hint: 'break it with continuation lines, or COPY the text from a file',
      line: index + 1,
    });
  }
}

interface LogicalLine {
  readonly text: string;
  readonly line: number;
  readonly comments: readonly string[];
  readonly emptyContinuation?: number;
}

class SyntaxReader {
  readonly directives = new DirectiveReader();
  readonly #lines: readonly string[];
  /** How many physical lines have been read: the number, from 1, of the last of them. */
  #read = 0;

  constructor(lines: readonly string[]) {
    this.#lines = lines;
  }

  readAll(): SyntaxNode[] {
    const nodes: SyntaxNode[] = [];
    for (let line = this.#readLogicalLine(); line !== undefined; line = this.#readLogicalLine()) {
      nodes.push(this.#readNode(line));
    }
    return nodes;
  }

  #readNode(logical: LogicalLine): SyntaxNode {
    return atLines(
      logical.line,
      () => this.#read,
      () => {
        const node = readNode(logical.text, this.directives.escape);
        const heredocs = markersOf(node).map((marker) => this.#readHeredoc(marker));
        const { line, comments, emptyContinuation } = logical;
        const isBroken = emptyContinuation !== undefined;
        const place = {
          line,
          endLine: this.#read,
          comments,
          ...(isBroken && { emptyContinuation }),
        };
        return withPlace(node, place, heredocs);
      },
    );
  }

  /** Skips empty lines and comments, then reads a line and its continuations. */
  #readLogicalLine(): LogicalLine | undefined {
    const comments: string[] = [];
    while (this.#read < this.#lines.length) {
      const line = trimLineEnd(this.#lines[this.#read++]!);
      const text = trimStart(line);
      if (this.directives.read(text, this.#read)) continue;
      // An indented comment keeps its `#`, so it describes nothing: the engine cuts the first character, whatever it is.
      if (text.startsWith('#')) comments.push(trim(line.slice(1)));
      else if (text !== '') return this.#readContinuations(text, comments);
    }
    return undefined;
  }

  #readContinuations(first: string, comments: readonly string[]): LogicalLine {
    const { escape: escapeCharacter } = this.directives;
    let line = this.#read;
    let hasEmptyLine = false;
    let { text, continues } = cutContinuation(first, escapeCharacter);
    while (continues && this.#read < this.#lines.length) {
      const next = trimLineEnd(this.#lines[this.#read++]!);
      const visible = trimStart(next);
      if (visible.startsWith('#')) continue;
      if (visible === '') {
        hasEmptyLine = true;
        continue;
      }
      if (trimStart(text) === '') line = this.#read;
      const cut = cutContinuation(next, escapeCharacter);
      text += cut.text;
      continues = cut.continues;
    }
    return { text, line, comments, ...(hasEmptyLine && { emptyContinuation: this.#read }) };
  }

  #readHeredoc(marker: HeredocMarker): Heredoc {
    const start = this.#read;
    while (this.#read < this.#lines.length) {
      const line = trimLineEnd(this.#lines[this.#read++]!);
      if ((marker.chomp ? line.replace(/^\t+/, '') : line) !== marker.name) continue;
      const content = this.#lines.slice(start, this.#read - 1).map((text) => `${text}\n`);
      return { ...marker, content: content.join('') };
    }
    throw new SyntaxFault('unterminated heredoc', {
      hint: `end it with a line that is just ${marker.name}`,
    });
  }
}

type UnplacedNode = Omit<SyntaxNode, keyof Place | 'heredocs' | 'trigger'> & {
  readonly trigger?: UnplacedNode;
};
type Place = Pick<SyntaxNode, 'line' | 'endLine' | 'comments' | 'emptyContinuation'>;

/** ONBUILD and its trigger stand in the same place. */
function withPlace(node: UnplacedNode, place: Place, heredocs: readonly Heredoc[]): SyntaxNode {
  const trigger = node.trigger && withPlace(node.trigger, place, []);
  return { ...node, ...place, heredocs, ...(trigger && { trigger }) } as SyntaxNode;
}

function readNode(raw: string, escapeCharacter: EscapeCharacter): UnplacedNode {
  const [name, afterName = ''] = cutAtSpaces(trim(raw));
  const { flags, rest: untrimmed } = takeFlags(afterName);
  const rest = trim(untrimmed);
  const node = { name, flags, raw };
  const instruction = name.toLowerCase();
  if (instruction === 'onbuild') {
    if (rest === '') return { ...node, ...none([]) };
    return { ...node, ...none([]), trigger: readNode(rest, escapeCharacter) };
  }
  const readArguments = ARGUMENT_READERS.get(instruction);
  return { ...node, ...(readArguments?.(rest, escapeCharacter) ?? none([])) };
}

function markersOf(node: UnplacedNode): HeredocMarker[] {
  const target = node.trigger ?? node;
  if (target.form === 'exec' || !node.raw.includes('<<')) return [];
  const takesHeredocs = ['run', 'copy', 'add'].includes(target.name.toLowerCase());
  return takesHeredocs ? heredocMarkers(node.raw) : [];
}

/**
 * The escape character at the end of a line, blanks after it allowed, joins the next line; behind another escape character
 * it is just a character.
 */
function cutContinuation(
  line: string,
  escapeCharacter: string,
): { text: string; continues: boolean } {
  let end = line.length;
  while (line[end - 1] === ' ' || line[end - 1] === '\t') end--;
  if (line[end - 1] !== escapeCharacter || line[end - 2] === escapeCharacter)
    return { text: line, continues: false };
  return { text: line.slice(0, end - 1), continues: true };
}

function trimLineEnd(line: string): string {
  let end = line.length;
  while (end > 0 && line[end - 1] === '\r') end--;
  return end === line.length ? line : line.slice(0, end);
}
