import { trimStart } from './space.ts';
import { SyntaxFault } from './syntax-error.ts';

/**
 * Reads the exec form, a JSON array of strings. What is not well-formed JSON is `undefined`: a shell command that begins
 * with `[`. An array that holds something else than strings is meant as JSON, and refused.
 */
export function parseStringArray(text: string): string[] | undefined {
  const trimmed = trimStart(text);
  if (!trimmed.startsWith('[')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(trimmed);
  } catch {
    return undefined;
  }
  const elements = value as unknown[];
  if (elements.every((element) => typeof element === 'string')) {
    // Half of a surrogate pair is no character; JSON allows to write it, UTF-8 does not.
    return elements.map((element) => element.toWellFormed());
  }
  throw new SyntaxFault('a JSON array here may hold only strings', {
    hint: 'put each element in double quotes',
  });
}
