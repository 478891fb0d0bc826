/** As much of a terminal as the live display uses: cursor up, clearing, lines; unknown sequences are an error. */

export function createScreen(size: { readonly columns: number; readonly rows: number }) {
  const lines: string[] = [''];
  let row = 0;
  let column = 0;
  let visible = true;
  let writes = 0;
  const put = (text: string) => {
    const line = (lines[row] ?? '').padEnd(column);
    lines[row] = line.slice(0, column) + text + line.slice(column + text.length);
    column += text.length;
  };
  const control = (sequence: string) => {
    const [, count, letter] = /^\x1b\[\??(\d*)([A-Za-z])$/.exec(sequence) ?? [];
    if (sequence === '\x1b[?25l' || sequence === '\x1b[?25h') visible = letter === 'h';
    else if (letter === 'A') row = Math.max(0, row - Number(count));
    else if (letter === 'K') lines[row] = (lines[row] ?? '').slice(0, column);
    else if (letter === 'J') {
      lines[row] = (lines[row] ?? '').slice(0, column);
      lines.length = row + 1;
    } else if (letter !== 'm' && !sequence.startsWith('\x1b[?2026')) {
      throw new Error(`unknown sequence ${JSON.stringify(sequence)}`);
    }
  };
  return {
    ...size,
    isTTY: true,
    write(text: string) {
      writes += 1;
      for (const part of text.split(/(\x1b\[[?\d;]*[A-Za-z]|\n|\r)/)) {
        if (part === '\n') {
          row += 1;
          column = 0;
          lines[row] ??= '';
        } else if (part === '\r') column = 0;
        else if (part.startsWith('\x1b')) control(part);
        else put(part);
      }
    },
    lines: () => lines.filter((line, at) => at < lines.length - 1 || line !== ''),
    scrolled: () => Math.max(0, lines.length - size.rows),
    cursorVisible: () => visible,
    writes: () => writes,
  };
}
