/**
 * File names are bytes; strings are not. A name that is valid UTF-8 is that string. Each byte of a name that is not
 * becomes one lone surrogate U+DC80…U+DCFF (as Python's `surrogateescape`), so every name is a string, keys of maps
 * work, and the bytes come back exactly.
 */
import { isUtf8 } from 'node:buffer';

export function decodeName(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length === 0) {
      text += String.fromCharCode(0xdc00 + bytes[at]!);
      at += 1;
    } else {
      text += bytes.toString('utf8', at, at + length);
      at += length;
    }
  }
  return text;
}

export function encodeName(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text, 'utf8');
  const parts: Buffer[] = [];
  for (const character of text) {
    const code = character.codePointAt(0)!;
    parts.push(
      code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(character, 'utf8'),
    );
  }
  return Buffer.concat(parts);
}

/** What Node's fs functions take for a path in this form: the string itself, unless it has bytes to restore. */
export function fsPath(text: string): string | Buffer {
  return text.isWellFormed() ? text : encodeName(text);
}

/** For display: bytes that are not text are shown as `\xNN`. */
export function displayName(text: string): string {
  return text.isWellFormed()
    ? text
    : text.replace(/[\udc80-\udcff]/g, (c) => `\\x${(c.charCodeAt(0) - 0xdc00).toString(16)}`);
}

/** Length of the valid UTF-8 sequence at `at`, or 0. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at]!;
  const length =
    first < 0x80
      ? 1
      : first < 0xc2
        ? 0
        : first < 0xe0
          ? 2
          : first < 0xf0
            ? 3
            : first < 0xf5
              ? 4
              : 0;
  return length > 0 && isUtf8(bytes.subarray(at, at + length)) && at + length <= bytes.length
    ? length
    : 0;
}
