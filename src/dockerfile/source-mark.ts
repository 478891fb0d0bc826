import { DockerfileParser } from 'dockerfile-ast';
import type { SourceLocation } from '../errors.ts';

/** A stretch of one line. Lines and columns count from 1. */
export interface SourceMark {
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

/**
 * Finds the word at fault in the source, for a message that points at it; without one, the instruction word. Absent where
 * the text is too damaged to tell.
 *
 * This is what dockerfile-ast is used for: it knows the range of each flag and argument, also behind continuation lines.
 * This file is loaded only when there is something to show (why it does not do the reading: read-syntax.ts).
 */
export function markSource(
  source: string,
  { line, subject }: SourceLocation,
): SourceMark | undefined {
  const instruction = DockerfileParser.parse(source)
    .getInstructions()
    .find((each) => each.getRange().start.line < line && each.getRange().end.line >= line - 1);
  if (instruction === undefined) return undefined;
  const keyword = {
    text: instruction.getInstruction(),
    start: instruction.getInstructionRange().start,
  };
  // It may see one instruction where there are two: what stands before the line is not at fault.
  const words = [
    keyword,
    ...instruction.getArguments().map(readArgument),
    ...flagsOf(instruction),
  ].filter(({ start }) => start.line >= line - 1);
  const wanted = subject ?? keyword.text;
  const exact =
    words.find(({ text }) => text === wanted) ?? words.find(({ text }) => text.includes(wanted));
  if (exact === undefined) return undefined;
  const offset = exact.text.indexOf(wanted);
  return {
    line: exact.start.line + 1,
    column: exact.start.character + offset + 1,
    length: wanted.length,
  };
}

interface Position {
  readonly line: number;
  readonly character: number;
}

interface Word {
  readonly text: string;
  readonly start: Position;
}

interface AstArgument {
  getValue(): string;
  getRange(): { readonly start: Position };
}

function readArgument(argument: AstArgument): Word {
  return { text: argument.getValue(), start: argument.getRange().start };
}

/** Only instructions that dockerfile-ast knows to have flags tell them; for others they are arguments. */
function flagsOf(instruction: object): Word[] {
  const { getFlags } = instruction as { getFlags?: () => { getRange(): { start: Position } }[] };
  const flags = getFlags?.call(instruction) ?? [];
  return flags.map((flag) => ({ text: String(flag), start: flag.getRange().start }));
}
