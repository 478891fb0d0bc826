/** Which command the arguments mean: its name comes first, and without one they are those of `build`. */
import { existsSync } from 'node:fs';
import { suggest } from '../dockerfile/suggest.ts';
import type { CommandEntry } from './commands.ts';
import { usage } from './flags.ts';

export interface Selection {
  readonly entry: CommandEntry;
  /** What follows the name. */
  readonly args: readonly string[];
}

/** By which scripts written for docker call the same commands. */
const LONG_NAMES: Readonly<Record<string, string>> = {
  'buildx build': 'build',
  'image build': 'build',
  'image history': 'history',
  'image inspect': 'inspect',
  'image load': 'load',
  'image ls': 'images',
  'image pull': 'pull',
  'image push': 'push',
  'image rm': 'rmi',
  'image save': 'save',
  'image tag': 'tag',
  'container run': 'run',
};

/**
 * `undefined` asks for the overview (`tsbuild`, `tsbuild help`, `tsbuild --help`).
 * @throws TsbuildError `USAGE` for a word that is no command and no path either
 */
export function selectCommand(
  argv: readonly string[],
  entries: readonly CommandEntry[],
): Selection | undefined {
  const [first, second] = argv;
  if (first === undefined || first === '--help' || first === '-h') return undefined;
  if (first === 'help') {
    return second === undefined ? undefined : selectCommand([...argv.slice(1), '--help'], entries);
  }
  if (first === '--version' || first === '-v') return named('version', argv.slice(1), entries);
  const two = `${first} ${second}`;
  const pair = entries.find((entry) => entry.name === (LONG_NAMES[two] ?? two));
  if (pair !== undefined) return { entry: pair, args: argv.slice(2) };
  if (entries.some((entry) => entry.name === first)) return named(first, argv.slice(1), entries);
  if (looksLikeCommand(first)) throw unknownCommand(first, second, entries);
  return named('build', argv, entries);
}

function named(name: string, args: readonly string[], entries: readonly CommandEntry[]): Selection {
  return { entry: entries.find((entry) => entry.name === name)!, args };
}

/** `tsbuild app` builds the directory `app` if there is one. */
function looksLikeCommand(word: string): boolean {
  return /^[a-z][a-z-]*$/.test(word) && !existsSync(word);
}

function unknownCommand(
  first: string,
  second: string | undefined,
  entries: readonly CommandEntry[],
): Error {
  const group = entries.filter((entry) => entry.name.startsWith(`${first} `));
  if (group.length > 0) {
    const names = group.map((entry) => `'tsbuild ${entry.name}'`).join(', ');
    return usage(`unknown command: ${[first, second].filter(Boolean).join(' ')}`, `try ${names}`);
  }
  const guess = suggest(
    first,
    entries.map((entry) => entry.name),
  );
  return usage(
    `unknown command: ${first}`,
    guess ? `did you mean 'tsbuild ${guess}'?` : `'tsbuild --help' lists the commands`,
  );
}
