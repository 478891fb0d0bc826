import type { SourceLocation } from '../errors.ts';
import type { Instruction } from './instruction.ts';
import { readSyntax } from './read-syntax.ts';
import { locateSyntaxError, SyntaxFault } from './syntax-error.ts';
import { readInstruction } from './typed.ts';

/** What a trigger may not be: these make sense only in the file itself. */
const REFUSED: ReadonlySet<string> = new Set(['FROM', 'MAINTAINER', 'ONBUILD']);

/**
 * Reads one ONBUILD trigger of a base image as an instruction. It is a little file of its own, in which the escape
 * character is `\`, whatever it was where the trigger was written. Its place is the FROM that brought it in, if given.
 * Throws `DOCKERFILE_PARSE`.
 */
export function parseOnbuildTrigger(trigger: string, location?: SourceLocation): Instruction {
  const place = location ?? { file: 'ONBUILD', line: 1, lineText: trigger };
  try {
    const [node, ...more] = readSyntax(trigger).nodes;
    if (more.length > 0) throw new SyntaxFault('it should be a single instruction');
    const name = node!.name.toUpperCase();
    if (REFUSED.has(name)) throw new SyntaxFault(`${name} isn't allowed as an ONBUILD trigger`);
    return readInstruction(node!, place);
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    const fault = new SyntaxFault(`ONBUILD ${firstLine(trigger)}: ${error.message}`, {
      hint: error.hint,
    });
    throw locateSyntaxError(fault, place);
  }
}

function firstLine(trigger: string): string {
  return trigger.split('\n', 1)[0]!;
}
