/**
 * What could end a command line: for the scripts of shells (completion-scripts.ts), which ask at each TAB. Commands, flags
 * and choices are yargs's to find; the tables that make the parser and the help tell it of them. It is loaded here alone:
 * its 33 ms are nothing to somebody who waits after TAB, and half of a build in which nothing changed.
 *
 * Where it falls short the code is our own: a flag that may be repeated is offered again (yargs leaves out what the line
 * has), one letter is no flag after two dashes, a value may be joined by `=`, and after the image of `run` or `--` there
 * are no flags. What no table lists is looked up by the placeholder of the value (complete-values.ts).
 */
import yargs, { type Argv } from 'yargs';
import type { Command } from './command.ts';
import { COMMANDS } from './commands.ts';
import { valuesFor } from './complete-values.ts';
import { commonFlags } from './dispatch.ts';
import { type Flag, type FlagTable, parseFlags } from './flags.ts';
import { selectCommand } from './select-command.ts';
import { splitLine } from './split-line.ts';

export interface Suggestion {
  /** Takes the place of the whole last word. */
  readonly text: string;
  readonly about?: string;
}

type Env = Readonly<Record<string, string | undefined>>;

/** A command whose arguments so far are `args`, and the word that shall be ended. */
interface Request {
  readonly command: Command;
  readonly table: FlagTable;
  readonly args: readonly string[];
  readonly current: string;
  readonly env: Env;
}

/** Of a line up to the cursor, the program's name included. Where nothing is found, shells offer files. */
export async function complete(line: string, env: Env): Promise<readonly Suggestion[]> {
  const words = splitLine(line)?.slice(1) ?? [];
  if (words[0] === '--debug') words.shift();
  const current = words.pop();
  if (current === undefined) return [];
  const found = await find(words, current, env);
  return found.filter(({ text }) => text !== current && text.startsWith(current));
}

async function find(
  words: readonly string[],
  current: string,
  env: Env,
): Promise<readonly Suggestion[]> {
  const isHelp = words[0] === 'help';
  const names = nextWords(isHelp ? words.slice(1) : words);
  if (names.size > 0 && !current.startsWith('-')) return commandNames(names, current);
  const selected = isHelp ? undefined : select(words);
  if (selected === undefined) return [];
  const command = await selected.entry.load();
  const table = { ...command.flags, ...commonFlags(command) };
  return completeArgument({ command, table, args: selected.args, current, env });
}

/** What may come next of a command's name, each with what it does. */
function nextWords(words: readonly string[]): ReadonlyMap<string, string> {
  const next = COMMANDS.flatMap(({ name, summary }): [string, string][] => {
    const parts = name.split(' ');
    const word = parts[words.length];
    const follows = word !== undefined && words.every((each, at) => each === parts[at]);
    return follows ? [[word, summary]] : [];
  });
  return new Map(next);
}

function select(words: readonly string[]): ReturnType<typeof selectCommand> {
  if (words.length === 0) return selectCommand(['build'], COMMANDS);
  try {
    return selectCommand(words, COMMANDS);
  } catch {
    return undefined; // There is no such command.
  }
}

async function completeArgument(request: Request): Promise<readonly Suggestion[]> {
  const { command, table, args, current, env } = request;
  const [, flag, value] = /^(--[^=]+)=(.*)$/s.exec(current) ?? [];
  if (flag !== undefined && value !== undefined) {
    const found = await completeArgument({ ...request, args: [...args, flag], current: value });
    return found.map((each) => ({ ...each, text: `${flag}=${each.text}` }));
  }
  const pending = pendingFlag(args, request);
  if (pending !== undefined && table[pending]!.choices !== undefined) return flagWords(request);
  const line = read(pending === undefined ? args : args.slice(0, -1), request);
  if (line === undefined) return [];
  if (pending !== undefined) {
    return valuesFor(`--${pending}`, table[pending]!.value ?? '', { ...line, env });
  }
  if (current.startsWith('-') && !line.isOver) return flagWords(request);
  if (command.flagsFirst && line.isOver) return [];
  return valuesFor(undefined, argumentName(command, line.args.length), { ...line, env });
}

/** The flag that takes the next word for its value: `--name`, or the last of `-qt` if those before it take none. */
function pendingFlag(args: readonly string[], { table, command }: Request): string | undefined {
  const last = args.at(-1) ?? '';
  const before = read(args.slice(0, -1), { table, command });
  if (before === undefined || before.isOver) return undefined;
  const takesValue = (name: string) =>
    table[name]!.type !== 'boolean' && table[name]!.alone === undefined;
  const names = Object.keys(table).filter(takesValue);
  if (last.startsWith('--')) return names.find((name) => last === `--${name}`);
  if (!last.startsWith('-')) return undefined;
  const byLetter = new Map(names.map((name) => [table[name]!.short ?? '', name]));
  const letters = [...last.slice(1)];
  const at = letters.findIndex((letter) => byLetter.has(letter));
  return at >= 0 && at === letters.length - 1 ? byLetter.get(letters[at]!) : undefined;
}

/** What is there already; `undefined` if it is wrong. */
function read(args: readonly string[], { table, command }: Pick<Request, 'table' | 'command'>) {
  const flagsFirst = command.flagsFirst ?? false;
  try {
    const input = parseFlags(args, table, { flagsFirst });
    // Whether flags may still follow.
    const isOver = args.includes('--') || (flagsFirst && input.args.length > 0);
    return { ...input, isOver };
  } catch {
    return undefined;
  }
}

/** `IMAGE` of `[flags] IMAGE [IMAGE…]`, as the command's help has it; the last may stand for many. */
function argumentName({ synopsis }: Command, position: number): string {
  const names = synopsis.split(' ').filter((word) => word !== '[flags]');
  const name = names[position] ?? names.filter((each) => each.includes('…')).at(-1) ?? '';
  return name.startsWith('[') ? name.slice(1).replace(/…?\]+$/, '') : name;
}

async function commandNames(
  names: ReadonlyMap<string, string>,
  current: string,
): Promise<readonly Suggestion[]> {
  const parser = createParser();
  for (const [name, summary] of names) parser.command(name, summary);
  return (await wordsOf(parser, [current])).map((text) => ({ text, about: names.get(text)! }));
}

async function flagWords({ table, args, current }: Request): Promise<readonly Suggestion[]> {
  const parser = createParser();
  for (const [name, flag] of Object.entries(table)) parser.option(name, asOption(flag));
  const found = await wordsOf(parser, [...args, current]);
  const repeated = Object.keys(table).filter((name) => table[name]!.type === 'list');
  const texts = new Set([...found, ...repeated.map((name) => `--${name}`)]);
  return [...texts].filter((text) => !/^--.$/.test(text)).map((text) => describe(text, table));
}

function asOption({ type, short, choices }: Flag) {
  return {
    type: type === 'boolean' ? ('boolean' as const) : ('string' as const),
    ...(short === undefined ? {} : { alias: short }),
    ...(choices === undefined ? {} : { choices }),
  };
}

function describe(text: string, table: FlagTable): Suggestion {
  const flag = Object.entries(table).find(
    ([name, { short }]) => text === `--${name}` || text === `-${short}`,
  );
  return flag === undefined ? { text } : { text, about: flag[1].help };
}

function createParser(): Argv {
  return yargs()
    .detectLocale(false)
    .help(false)
    .version(false)
    .exitProcess(false)
    .parserConfiguration({ 'boolean-negation': false });
}

/** Where $SHELL is zsh or fish, yargs appends descriptions; ours come from the tables. */
async function wordsOf(parser: Argv, args: string[]): Promise<readonly string[]> {
  return (await parser.getCompletion(args)).map((word) => word.split(/[:\t]/, 1)[0]!);
}
