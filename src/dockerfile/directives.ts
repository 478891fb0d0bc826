/**
 * Parser directives: `# name=value` lines at the very top of the file. The first line that does not look like one, be it
 * empty, a comment or an instruction, ends them; one with an unknown name does not.
 * https://docs.docker.com/reference/dockerfile/#parser-directives
 */

import type { Directive, EscapeCharacter } from './syntax.ts';
import { SyntaxFault } from './syntax-error.ts';

const DIRECTIVE = /^#[\t\n\f\r ]*([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.+?)[\t\n\f\r ]*$/;
const KNOWN = new Set(['syntax', 'escape', 'check']);

export class DirectiveReader {
  readonly found: { syntax?: Directive; escape?: Directive; check?: Directive } = {};
  escape: EscapeCharacter = '\\';
  #done = false;

  /** Looks at one line, its leading white space removed, whether or not it is a comment. */
  read(text: string, line: number): void {
    if (this.#done) return;
    const match = DIRECTIVE.exec(text);
    if (match === null) {
      this.#done = true;
      return;
    }
    const name = match[1]!.toLowerCase();
    const value = match[2]!;
    if (!isKnown(name)) return;
    if (this.found[name] !== undefined) {
      throw new SyntaxFault(`only one ${name} parser directive can be used`, { line });
    }
    this.found[name] = { value, line };
    if (name === 'escape') this.escape = escapeCharacter(value, line);
  }
}

function isKnown(name: string): name is 'syntax' | 'escape' | 'check' {
  return KNOWN.has(name);
}

function escapeCharacter(value: string, line: number): EscapeCharacter {
  if (value === '\\' || value === '`') return value;
  throw new SyntaxFault(`invalid escape directive ${JSON.stringify(value)}`, {
    hint: 'write `# escape=\\` or `# escape=` followed by a backquote',
    line,
  });
}
