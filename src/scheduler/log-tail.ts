/** The last lines of a stream of output, in bounded memory: what a failed step shows. */
const MAX_LINES = 50;
const MAX_LINE = 4096;

export interface LogTail {
  add(bytes: Uint8Array): void;
  lines(): readonly string[];
}

export function createLogTail(): LogTail {
  const decoder = new TextDecoder();
  let lines: string[] = [];
  let open = '';
  return {
    add(bytes) {
      const parts = (open + decoder.decode(bytes, { stream: true })).split('\n');
      open = parts.pop()!.slice(0, MAX_LINE);
      lines.push(...parts.map((line) => line.replace(/\r$/, '').slice(0, MAX_LINE)));
      if (lines.length > MAX_LINES) lines = lines.slice(-MAX_LINES);
    },
    lines: () => (open === '' ? lines : [...lines, open].slice(-MAX_LINES)),
  };
}
