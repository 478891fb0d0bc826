/**
 * Reads flags as docker's commands do (the rules of Go's pflag): `--name value`, `--name=value`, `-n value`, `-nvalue`,
 * `-n=value`, clusters of short booleans (`-it`), `--bool=false`, `--` ends the flags, and a lone `-` is an argument.
 * Tables are data, and only the chosen command's table is looked at: a general parser library took 33 ms to load here,
 * nearly as long as node itself.
 */

import { suggest } from '../dockerfile/suggest.ts';
import { TsbuildError } from '../errors.ts';

export interface Flag {
  /** A `list` collects every use; of the others the last use counts. */
  readonly type: 'boolean' | 'string' | 'list';
  readonly short?: string;
  /** Placeholder of the value, for the help. */
  readonly value?: string;
  readonly help: string;
  readonly choices?: readonly string[];
  /** Value of the flag when it stands alone; with this, a value must be joined by `=`. */
  readonly alone?: string;
}

export type FlagTable = Readonly<Record<string, Flag>>;

export type FlagValues<T extends FlagTable> = {
  readonly [K in keyof T]: T[K]['type'] extends 'boolean'
    ? boolean | undefined
    : T[K]['type'] extends 'list'
      ? readonly string[]
      : string | undefined;
};

type Values = Record<string, boolean | string | string[] | undefined>;

interface Reader {
  readonly table: FlagTable;
  readonly values: Values;
  readonly args: readonly string[];
  at: number;
}

/** @throws TsbuildError `USAGE` for an unknown flag, a missing value or one that is not a choice */
export function parseFlags<T extends FlagTable>(
  args: readonly string[],
  table: T,
  options: { readonly flagsFirst?: boolean } = {},
): { readonly flags: FlagValues<T>; readonly args: readonly string[] } {
  const lists = Object.entries(table).filter(([, flag]) => flag.type === 'list');
  const reader: Reader = {
    table,
    values: Object.fromEntries(lists.map(([name]) => [name, [] as string[]])),
    args,
    at: 0,
  };
  const rest: string[] = [];
  while (reader.at < args.length) {
    const arg = args[reader.at++]!;
    if (arg === '--') {
      rest.push(...args.slice(reader.at));
      break;
    }
    if (arg.startsWith('--')) readLong(reader, arg.slice(2));
    else if (arg.startsWith('-') && arg !== '-') readShort(reader, arg.slice(1));
    else {
      rest.push(arg);
      if (!options.flagsFirst) continue;
      rest.push(...args.slice(reader.at));
      break;
    }
  }
  return { flags: reader.values as FlagValues<T>, args: rest };
}

function readLong(reader: Reader, text: string): void {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  const flag = Object.hasOwn(reader.table, name) ? reader.table[name] : undefined;
  if (flag === undefined) {
    const hint = suggest(name, Object.keys(reader.table));
    throw usage(`unknown flag --${name}`, hint && `did you mean --${hint}?`);
  }
  const joined = equals < 0 ? undefined : text.slice(equals + 1);
  set(reader, name, flag, joined ?? unjoined(reader, flag, `--${name}`));
}

function readShort(reader: Reader, cluster: string): void {
  for (let at = 0; at < cluster.length; at++) {
    const letter = cluster[at]!;
    const found = Object.entries(reader.table).find(([, flag]) => flag.short === letter);
    if (found === undefined) throw usage(`unknown flag -${letter} in -${cluster}`);
    const [name, flag] = found;
    const rest = cluster.slice(at + 1);
    const takesRest = rest.startsWith('=') || (flag.type !== 'boolean' && rest !== '');
    const joined = takesRest ? rest.replace(/^=/, '') : undefined;
    set(reader, name, flag, joined ?? unjoined(reader, flag, `-${letter}`));
    if (takesRest) return;
  }
}

/** The value of a flag that has none joined to it: implied, or the next argument. */
function unjoined(reader: Reader, flag: Flag, shown: string): string {
  if (flag.type === 'boolean') return 'true';
  if (flag.alone !== undefined) return flag.alone;
  const next = reader.args[reader.at++];
  if (next === undefined) throw usage(`flag ${shown} needs a value`);
  return next;
}

function set(reader: Reader, name: string, flag: Flag, value: string): void {
  if (flag.choices !== undefined && !flag.choices.includes(value)) {
    throw usage(
      `flag --${name}: ${JSON.stringify(value)} is none of ${flag.choices.join(', ')}`,
      undefined,
    );
  }
  if (flag.type === 'boolean') reader.values[name] = parseBoolean(name, value);
  else if (flag.type === 'list') (reader.values[name] as string[]).push(value);
  else reader.values[name] = value;
}

function parseBoolean(name: string, value: string): boolean {
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw usage(`flag --${name}: ${JSON.stringify(value)} is neither true nor false`);
}

export function usage(message: string, hint?: string): TsbuildError {
  return new TsbuildError('USAGE', message, hint ? { hint } : {});
}
