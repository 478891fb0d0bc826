/** The flags of an instruction (`--from=x`), checked against a table of those it has. */
import { orMeant } from './suggest.ts';
import { SyntaxFault } from './syntax-error.ts';

export type FlagType = 'boolean' | 'string' | 'strings';
export type FlagTable = Readonly<Record<string, FlagType>>;

/** Absent flags are absent; `strings` flags may be repeated and are always an array. */
export type Flags<T extends FlagTable> = {
  readonly [K in keyof T]: T[K] extends 'boolean'
    ? boolean | undefined
    : T[K] extends 'strings'
      ? readonly string[]
      : string | undefined;
};

export function parseFlags<const T extends FlagTable>(
  words: readonly string[],
  table: T,
): Flags<T> {
  const flags: Record<string, boolean | string | string[]> = {};
  for (const [name, type] of Object.entries(table)) if (type === 'strings') flags[name] = [];
  const seen = new Set<string>();
  for (const word of words) {
    const equals = word.indexOf('=');
    const name = word.slice(2, equals === -1 ? undefined : equals);
    const value = equals === -1 ? undefined : word.slice(equals + 1);
    const type = Object.hasOwn(table, name) ? table[name] : undefined;
    if (type === undefined) throw unknownFlag(name, Object.keys(table), word);
    if (type !== 'strings' && seen.has(name)) {
      throw new SyntaxFault(`duplicate flag specified: --${name}`, { subject: word });
    }
    seen.add(name);
    if (type === 'boolean') flags[name] = parseBoolean(name, value, word);
    else if (value === undefined)
      throw new SyntaxFault(`missing a value on flag: --${name}`, { subject: word });
    else if (type === 'strings') (flags[name] as string[]).push(value);
    else flags[name] = value;
  }
  return flags as Flags<T>;
}

function parseBoolean(name: string, value: string | undefined, subject: string): boolean {
  if (value === '') throw new SyntaxFault(`missing a value on flag: --${name}`, { subject });
  const folded = value?.toLowerCase() ?? 'true';
  if (folded === 'true' || folded === 'false') return folded === 'true';
  throw new SyntaxFault(`expecting boolean value for flag --${name}, not: ${value}`, { subject });
}

function unknownFlag(name: string, known: readonly string[], subject: string): SyntaxFault {
  const list = known.map((flag) => `--${flag}`).join(', ');
  return new SyntaxFault(`unknown flag: --${name}${orMeant(name, known)}`, {
    subject,
    hint: known.length === 0 ? 'this instruction takes no flags' : `the flags here are ${list}`,
  });
}
