/** Values of flags as docker writes them: comma lists with quotes, sizes, limits, hosts, `KEY=VALUE`. */
import { parseByteSize } from '../dockerfile/byte-size.ts';
import { parseCsvFields } from '../dockerfile/csv.ts';
import { parseDuration } from '../dockerfile/duration.ts';
import { usage } from './flags.ts';

/** Comma-separated fields, with quotes as in CSV. @throws TsbuildError `USAGE` */
export function splitCommas(text: string, flag: string): string[] {
  try {
    return parseCsvFields(text);
  } catch (cause) {
    throw usage(`flag --${flag}: ${(cause as Error).message}`);
  }
}

/** `type=oci,dest=x` as a map; names are not case-sensitive. @throws TsbuildError `USAGE` for a field without `=` */
export function parseFields(text: string, flag: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const field of splitCommas(text, flag)) {
    const [key, value] = splitPair(field);
    if (value === undefined) {
      throw usage(`flag --${flag}: ${JSON.stringify(field)} is not KEY=VALUE in ${text}`);
    }
    fields.set(key.trim().toLowerCase(), value);
  }
  return fields;
}

/** At the first `=`. */
export function splitPair(text: string): readonly [string, string | undefined] {
  const equals = text.indexOf('=');
  return equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
}

type Env = Readonly<Record<string, string | undefined>>;

/** `K=V` as it is; `K` alone takes its value from the environment, and is left out if it has none there. */
export function fromEnvironment(entries: readonly string[], env: Env): Record<string, string> {
  const values: Record<string, string> = {};
  for (const entry of entries) {
    const [key, written] = splitPair(entry);
    const value = written ?? env[key];
    if (key === '') throw usage(`${JSON.stringify(entry)} has no name before the =`);
    if (value !== undefined) values[key] = value;
  }
  return values;
}

/** `K=V`; `K` alone is empty. */
export function pairs(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(entries.map(splitPair).map(([key, value]) => [key, value ?? '']));
}

/** `64m`, `1.5g`, `512kb`, `1GiB`, `1000`: bytes, in powers of 1024. @throws TsbuildError `USAGE` */
export function parseSize(text: string, flag: string): number {
  const size = parseByteSize(text);
  if (size !== undefined) return size;
  throw usage(`flag --${flag}: ${JSON.stringify(text)} is not a size`, 'write it as 64m or 1g');
}

/** `90s`, `24h`, `1h30m`, and `7d`: milliseconds. @throws TsbuildError `USAGE` */
export function parseAge(text: string, flag: string): number {
  const days = /^(\d+)d$/.exec(text)?.[1];
  try {
    const age = days === undefined ? parseDuration(text) / 1e6 : Number(days) * 24 * 3600 * 1000;
    if (age >= 0) return age;
  } catch {}
  throw usage(`flag --${flag}: ${JSON.stringify(text)} is not an age`, 'write it as 24h or 7d');
}

const ULIMITS =
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(
    ' ',
  );

/** `nofile=1024:2048`; one number stands for both, and -1 is no limit. @throws TsbuildError `USAGE` */
export function parseUlimit(text: string): { name: string; soft: number; hard: number } {
  const match = /^([a-z]+)=(-1|\d+)(?::(-1|\d+))?$/.exec(text);
  if (match === null) {
    throw usage(`flag --ulimit: ${JSON.stringify(text)} is not NAME=SOFT[:HARD]`);
  }
  const name = match[1]!;
  if (!ULIMITS.includes(name)) {
    throw usage(`flag --ulimit: no limit is called ${name}`, `use one of ${ULIMITS.join(', ')}`);
  }
  const soft = Number(match[2]);
  const hard = Number(match[3] ?? match[2]);
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw usage(`flag --ulimit: the soft limit is above the hard limit in ${text}`);
  }
  return { name, soft, hard };
}

/** `HOST:IP` or `HOST=IP`; an IPv6 address may stand in brackets. @throws TsbuildError `USAGE` */
export function parseAddHost(text: string): readonly [string, string] {
  const match = /^([^:=]+)[:=](?:\[([^\]]+)\]|(.+))$/.exec(text);
  const address = match?.[2] ?? match?.[3];
  if (address === undefined || !/^([0-9a-fA-F:.]+(%\w+)?|host-gateway)$/.test(address)) {
    throw usage(`flag --add-host: ${JSON.stringify(text)} is not HOST:IP`);
  }
  return [match![1]!, address];
}

/** So that "not said" stays different from "said to be nothing". */
export function withoutUndefined<T extends object>(object: T): Defined<T> {
  return Object.fromEntries(
    Object.entries(object).filter(([, value]) => value !== undefined),
  ) as Defined<T>;
}

/** Members that may be undefined become optional. */
type Defined<T> = {
  [K in keyof T as undefined extends T[K] ? never : K]: T[K];
} & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};
