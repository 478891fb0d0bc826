/**
 * White space as the Dockerfile language means it: Unicode's White_Space property, which is what Go's `unicode.IsSpace`
 * tests. JavaScript's `\s` and `trim()` differ in two characters: they take U+FEFF and leave U+0085.
 */

const SPACE = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

export function isSpace(character: string | undefined): boolean {
  return character !== undefined && SPACE.test(character);
}

export function trimStart(text: string): string {
  let start = 0;
  while (start < text.length && SPACE.test(text[start]!)) start++;
  return start === 0 ? text : text.slice(start);
}

export function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && SPACE.test(text[end - 1]!)) end--;
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
  const match = SEPARATOR.exec(text);
  if (match === null) return [text];
  return [text.slice(0, match.index), text.slice(match.index + match[0].length)];
}
