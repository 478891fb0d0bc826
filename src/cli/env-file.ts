/** `--env-file`: `NAME=VALUE` or `NAME` a line, taken as it is: no quotes, no expansion; `#` begins a comment line. */
import { readFileSync } from 'node:fs';
import { usage } from './flags.ts';

/** @throws TsbuildError `USAGE` naming the file and line */
export function readEnvFile(file: string): string[] {
  return parseEnvFile(read(file), file);
}

export function parseEnvFile(text: string, file: string): string[] {
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/);
  return lines.flatMap((line, at) => {
    const entry = line.trimStart();
    if (entry === '' || entry.startsWith('#')) return [];
    const name = entry.split('=', 1)[0]!;
    if (name === '' || /\s/.test(name)) {
      throw usage(`${file}:${at + 1}: ${JSON.stringify(name)} is not a name of a variable`);
    }
    return [entry];
  });
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw usage(`read --env-file ${file}: ${cause instanceof Error ? cause.message : cause}`);
  }
}
