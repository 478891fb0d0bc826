import { printable } from './error.ts';

/** `Warning: 299 - "text"`, the form the distribution spec allows ("Warnings"); anything else is not for people. */
export function parseWarning(value: string): string | undefined {
  const match = /^299 - "((?:[^"\\]|\\.)*)"$/.exec(value.trim());
  const text = match === null ? '' : printable(match[1]!.replace(/\\(.)/g, '$1'));
  return text === '' ? undefined : text;
}
