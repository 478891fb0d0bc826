/** Resource limits: Docker's names for them, and what may be asked for here. */
import { TsbuildError } from '../errors.ts';
import type { Abilities, Ulimit } from './runtime.ts';

/** Docker's name → the row in /proc/self/limits. The name in capitals is the kernel's: RLIMIT_NOFILE. */
const LIMITS: Readonly<Record<string, string>> = {
  core: 'Max core file size',
  cpu: 'Max cpu time',
  data: 'Max data size',
  fsize: 'Max file size',
  locks: 'Max file locks',
  memlock: 'Max locked memory',
  msgqueue: 'Max msgqueue size',
  nice: 'Max nice priority',
  nofile: 'Max open files',
  nproc: 'Max processes',
  rss: 'Max resident set',
  rtprio: 'Max realtime priority',
  rttime: 'Max realtime timeout',
  sigpending: 'Max pending signals',
  stack: 'Max stack size',
};

/** RLIM_INFINITY does not fit into a double; `-1` stands for it, as on Docker's command line. */
const INFINITY = 18446744073709551615n;

export interface Rlimit {
  readonly type: string;
  readonly soft: bigint;
  readonly hard: bigint;
}

/**
 * The limits of config.json. Without CAP_SYS_RESOURCE nobody can raise a hard limit, so there what was inherited
 * bounds what is asked for. @throws TsbuildError `USAGE` for a name that is no limit, or a soft limit above the hard
 * one.
 */
export function rlimits(ulimits: readonly Ulimit[], abilities: Abilities): Rlimit[] {
  const mayRaise = !abilities.rootless && abilities.capabilities.has('CAP_SYS_RESOURCE');
  return ulimits.map(({ name, soft, hard }) => {
    if (!(name in LIMITS))
      throw new TsbuildError('USAGE', `unknown ulimit ${JSON.stringify(name)}`);
    const inherited = mayRaise ? INFINITY : toLimit(abilities.hardLimits.get(name) ?? -1);
    if (toLimit(soft) > toLimit(hard)) {
      throw new TsbuildError('USAGE', `ulimit ${name}: the soft limit is above the hard limit`);
    }
    return {
      type: `RLIMIT_${name.toUpperCase()}`,
      soft: smaller(toLimit(soft), inherited),
      hard: smaller(toLimit(hard), inherited),
    };
  });
}

/** Reads /proc/self/limits; what is unlimited is left out. */
export function parseHardLimits(text: string): Map<string, number> {
  const limits = new Map<string, number>();
  for (const [name, row] of Object.entries(LIMITS)) {
    const hard = text
      .split('\n')
      .find((line) => line.startsWith(row))
      ?.slice(row.length)
      .trim()
      .split(/\s+/)[1];
    if (hard !== undefined && hard !== 'unlimited') limits.set(name, Number(hard));
  }
  return limits;
}

function toLimit(value: number): bigint {
  return value < 0 ? INFINITY : BigInt(value);
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
