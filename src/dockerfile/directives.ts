/**
 * Parser directives: `# name=value` lines at the very top of the file. The first line that is none of them, be it
 * empty, a comment (also one that only looks like a directive) or an instruction, ends them.
 * https://docs.docker.com/reference/dockerfile/#parser-directives
 */

import type { Directive, EscapeCharacter } from './syntax.ts';
import { SyntaxFault } from './syntax-error.ts';

const DIRECTIVE =
  /^#[\t\n\f\r ]*([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*([^\n]+?)[\t\n\f\r ]*$/;
const KNOWN = new Set(['syntax', 'escape', 'check']);

export class DirectiveReader {
  readonly found: { syntax?: Directive; escape?: Directive; check?: Directive } = {};
  escape: EscapeCharacter = '\\';
  #done = false;

  /** Looks at one line, its leading white space removed. Tells whether it is a directive. */
  read(text: string, line: number): boolean {
    if (this.#done) return false;
    const match = DIRECTIVE.exec(text);
    const name = match?.[1]?.toLowerCase();
    if (match === null || !isKnown(name)) {
      this.#done = true;
      return false;
    }
    const value = match[2]!;
    if (this.found[name] !== undefined) {
      throw new SyntaxFault(`only one ${name} parser directive can be used`, { line });
    }
    this.found[name] = { value, line };
    if (name === 'escape') this.escape = escapeCharacter(value, line);
    return true;
  }
}

function isKnown(name: string | undefined): name is 'syntax' | 'escape' | 'check' {
  return name !== undefined && KNOWN.has(name);
}

function escapeCharacter(value: string, line: number): EscapeCharacter {
  if (value === '\\' || value === '`') return value;
  throw new SyntaxFault(`invalid escape directive ${JSON.stringify(value)}`, {
    hint: 'write `# escape=\\` or `# escape=` followed by a backquote',
    line,
  });
}
