/**
 * Output of steps, which arrives in pieces that end anywhere, as lines fit to be shown. Colours stay; whatever else a
 * program tells a terminal (cursor moves, titles, clearing, bells) is dropped, because several steps share the screen.
 */

export interface LogLines {
  /** The lines that `text` completes. */
  push(text: string): string[];
  /** The last line, if it has no end. */
  flush(): string[];
}

/** A line without an end is cut here: a program may print a progress bar of megabytes. */
const MAX_LINE = 64 * 1024;

export function createLogLines(): LogLines {
  let rest = '';
  return {
    push(text) {
      const parts = (rest + text).split('\n');
      rest = parts.pop()!;
      // `10%\r20%\r30%` is one line that was written over; only its last state matters.
      const shown = rest.lastIndexOf('\r', rest.length - 2);
      if (shown >= 0) rest = rest.slice(shown + 1);
      if (rest.length > MAX_LINE) {
        parts.push(rest);
        rest = '';
      }
      return parts.map(displayLine);
    },
    flush() {
      const last = rest;
      rest = '';
      return last === '' ? [] : [displayLine(last)];
    },
  };
}

/** CSI (but for colours), OSC, DCS and other strings, two-character escapes. */
const SEQUENCES =
  /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])/g;

/** What a terminal would show of the line in the end. */
export function displayLine(line: string): string {
  const ended = line.replace(/\r+$/, '');
  const visible = ended.slice(ended.lastIndexOf('\r') + 1);
  return visible
    .replace(SEQUENCES, (sequence) => (/^\x1b\[[\d;:]*m$/.test(sequence) ? sequence : ''))
    .replaceAll('\t', '    ')
    .replace(/[\x00-\x1a\x1c-\x1f\x7f-\x9f]|\x1b(?!\[[\d;:]*m)/g, '');
}
