import { SyntaxFault } from './syntax-error.ts';

/**
 * Divides one CSV record at commas, as RFC 4180 has it and Go's `encoding/csv` enforces it: a field may stand in double
 * quotes, within which `""` is a quote; a quote anywhere else is an error.
 */
export function parseCsvFields(text: string): string[] {
  if (text === '') throw new SyntaxFault('value is empty');
  const fields: string[] = [];
  let position = 0;
  for (;;) {
    const field = text[position] === '"' ? quotedField(text, position) : bareField(text, position);
    fields.push(field.text);
    if (field.end === text.length) return fields;
    position = field.end + 1;
  }
}

function bareField(text: string, start: number): { text: string; end: number } {
  const comma = text.indexOf(',', start);
  const end = comma === -1 ? text.length : comma;
  const field = text.slice(start, end);
  if (field.includes('"')) throw new SyntaxFault(`bare " in field ${field}`);
  return { text: field, end };
}

function quotedField(text: string, start: number): { text: string; end: number } {
  const match = /"((?:[^"]|"")*)"(?=,|$)/y;
  match.lastIndex = start;
  const found = match.exec(text);
  if (found === null) throw new SyntaxFault(`extraneous or missing " in ${text.slice(start)}`);
  return { text: found[1]!.replaceAll('""', '"'), end: match.lastIndex };
}
