/** How many columns text takes on a terminal, and cutting it to fit. */
import { stripVTControlCharacters } from 'node:util';

export function textWidth(text: string): number {
  const plain = stripVTControlCharacters(text);
  if (/^[\x20-\x7e]*$/.test(plain)) return plain.length;
  let width = 0;
  for (const { segment } of new Intl.Segmenter().segment(plain)) width += graphemeWidth(segment);
  return width;
}

/** Cuts to `width` columns, with `…` in place of what is lost. Colours stay, and are reset at the end. */
export function fitText(text: string, width: number): string {
  if (width <= 0) return '';
  if (textWidth(text) <= width) return text;
  const segmenter = new Intl.Segmenter();
  let used = 0;
  let cut = '';
  let colored = false;
  for (const part of text.split(/(\x1b\[[\d;:]*m)/)) {
    if (part.startsWith('\x1b[')) {
      cut += part;
      colored = true;
      continue;
    }
    for (const { segment } of segmenter.segment(part)) {
      used += graphemeWidth(segment);
      if (used > width - 1) return `${cut}…${colored ? '\x1b[0m' : ''}`;
      cut += segment;
    }
  }
  return cut;
}

/** East Asian wide characters and emoji take two columns; marks that combine with nothing take none. */
function graphemeWidth(grapheme: string): number {
  if (/^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]/u.test(grapheme)) return 0;
  return WIDE.test(grapheme) || /^\p{Emoji_Presentation}/u.test(grapheme) ? 2 : 1;
}

const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u;
