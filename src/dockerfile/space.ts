/**
 * White space as the Dockerfile language means it: Unicode's White_Space property, which is what Go's `unicode.IsSpace`
 * tests. JavaScript's `\s` and `trim()` differ in two characters: they take U+FEFF and leave U+0085.
 */

const WIDE_SPACE = /[\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

export function isSpace(character: string | undefined): boolean {
  if (character === undefined) return false;
  const code = character.charCodeAt(0);
  // Asked of every character of a file: nearly all of them are decided here.
  if (code < 0x80) return code === 0x20 || (code >= 0x09 && code <= 0x0d);
  return WIDE_SPACE.test(character);
}

export function trimStart(text: string): string {
  let start = 0;
  while (start < text.length && isSpace(text[start])) start++;
  return start === 0 ? text : text.slice(start);
}

export function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text[end - 1])) end--;
  return end === text.length ? text : text.slice(0, end);
}

export function trim(text: string): string {
  return trimEnd(trimStart(text));
}

/**
 * The white space that separates the instruction word from the rest, and the words of FROM, EXPOSE, COPY …: ASCII only,
 * so that a file name with a no-break space stays one word.
 */
const SEPARATOR = /[\t\v\f\r ]+/;

/** Divides at runs of ASCII white space. Text without any gives one element. */
export function splitAtSpaces(text: string): string[] {
  return text.split(SEPARATOR);
}

/** Cuts at the first run of ASCII white space; the second part is absent when there is none. */
export function cutAtSpaces(text: string): [head: string, rest?: string] {
  let end = 0;
  while (end < text.length && !isSeparator(text, end)) end++;
  if (end === text.length) return [text];
  let start = end;
  while (start < text.length && isSeparator(text, start)) start++;
  return [text.slice(0, end), text.slice(start)];
}

function isSeparator(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code === 0x20 || code === 0x09 || (code >= 0x0b && code <= 0x0d);
}
