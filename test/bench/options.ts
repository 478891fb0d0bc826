/** The benchmark's command line. */
export interface BenchOptions {
  /** Names of workloads (or of growth series); all of them when absent. */
  readonly only: readonly string[] | undefined;
  /** Names of tools; all that are found when absent. */
  readonly tools: readonly string[] | undefined;
  /** Counted rounds, after one that warms up. */
  readonly rounds: number;
  /** Where the results go as JSON. */
  readonly json: string | undefined;
  /** Of RUN steps and containers of the peers; ours is the machine's, so theirs is too unless their own is asked for. */
  readonly network: 'host' | 'default';
  readonly growth: boolean;
  /** Growth up to the sizes that take many minutes and gigabytes. */
  readonly full: boolean;
  readonly list: boolean;
  readonly help: boolean;
}

export const USAGE = `npm run bench -- [options]

  --only NAME[,NAME]   these workloads (see --list)
  --tools NAME[,NAME]  these tools of tsbuild, docker, buildah
  -n ROUNDS            counted rounds after a warm-up (default: 5)
  --json FILE          write the results to FILE
  --network NETWORK    of the peers' containers: host (default, as ours) or default (their own)
  --growth             how time and memory grow with the work, of tsbuild alone
  --full               with --growth: up to 500,000 files and a layer of 10 GB
  --list               names of the workloads

Environment:
  BENCH_DIR      where contexts and stores are put (default: a temporary directory); downloads are kept there
  BENCH_TSBUILD  command instead of Node with the bundle in dist/
  BENCH_DOCKER   command instead of 'docker', for instance 'chroot /opt/peers docker'
  BENCH_BUILDAH  command instead of 'buildah'
  BENCH_PODMAN   command instead of 'podman', which runs what buildah built
`;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** @throws Error that says what is wrong */
export function parseOptions(args: readonly string[]): BenchOptions {
  const options: Writable<BenchOptions> = {
    only: undefined,
    tools: undefined,
    rounds: 5,
    json: undefined,
    network: 'host',
    growth: false,
    full: false,
    list: false,
    help: false,
  };
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    const [flag, inline] = splitFlag(arg);
    const value = (): string => {
      const text = inline ?? rest.shift();
      if (text === undefined || text === '') throw new Error(`${flag} needs a value`);
      return text;
    };
    switch (flag) {
      case '--only':
        options.only = value().split(',');
        break;
      case '--tools':
        options.tools = value().split(',');
        break;
      case '-n':
        options.rounds = wholeNumber(value());
        break;
      case '--json':
        options.json = value();
        break;
      case '--network':
        options.network = network(value());
        break;
      case '--growth':
      case '--full':
      case '--list':
      case '--help':
        if (inline !== undefined) throw new Error(`${flag} takes no value`);
        options[flag.slice(2) as 'growth' | 'full' | 'list' | 'help'] = true;
        break;
      default:
        throw new Error(`unknown option ${arg}`);
    }
  }
  return options;
}

function splitFlag(arg: string): [string, string | undefined] {
  const short = /^-n=?(.+)$/.exec(arg);
  if (short) return ['-n', short[1]];
  const at = arg.indexOf('=');
  return at < 0 ? [arg, undefined] : [arg.slice(0, at), arg.slice(at + 1)];
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new Error(`-n: not a number of rounds: ${text}`);
  return Number(text);
}

function network(text: string): BenchOptions['network'] {
  if (text !== 'host' && text !== 'default') throw new Error(`--network: host or default: ${text}`);
  return text;
}

/** A command in the environment is words between spaces; the words take no quotes. */
export function commandWords(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

/** The entries that were asked for, in their own order. @throws Error for a name that nothing has */
export function choose<T extends { readonly name: string }>(
  entries: readonly T[],
  names: readonly string[] | undefined,
): readonly T[] {
  if (names === undefined) return entries;
  const unknown = names.find((name) => !entries.some((entry) => entry.name === name));
  if (unknown !== undefined) {
    throw new Error(`no ${unknown}; there are ${entries.map((entry) => entry.name).join(', ')}`);
  }
  return entries.filter((entry) => names.includes(entry.name));
}
