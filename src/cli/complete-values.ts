/** Values that a command line could mean where a placeholder of the help stands: images of the store, stages of the Dockerfile. */
import { statSync } from 'node:fs';
import { listImages, outline, targets } from '../index.ts';
import type { BuildOptions } from '../options.ts';
import type { Suggestion } from './complete.ts';

/** What the line says besides. */
export interface Line {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

type Source = (line: Line) => Promise<readonly Suggestion[]> | readonly Suggestion[];

/** By the flag's name, which says more, or by its placeholder. */
const SOURCES: Readonly<Record<string, Source>> = {
  '--build-arg': async (line) => {
    const args = (await describe(line, outline))?.args ?? [];
    return named(args).map((each) => ({ ...each, text: `${each.text}=` }));
  },
  '--call': fixed('check', 'outline', 'targets'),
  '--allow': fixed('network.host', 'security.insecure'),
  STAGE: async (line) => named((await describe(line, targets)) ?? []),
  DEST: fixed(
    'type=oci,dest=',
    'type=docker,dest=',
    'type=local,dest=',
    'type=tar,dest=',
    'type=image',
    'type=registry',
  ),
  'OS/ARCH': fixed(
    'linux/amd64',
    'linux/arm64',
    'linux/arm/v7',
    'linux/386',
    'linux/ppc64le',
    'linux/s390x',
    'linux/riscv64',
  ),
  IMAGE: images,
  'NAME[:TAG]': images,
  'NAME[:TAG|@DIGEST]': images,
  SOURCE: async (line) => (await images(line)).map(({ text }) => ({ text: `store:${text}` })),
  'bash|zsh': fixed('bash', 'zsh'),
};

/** Nothing if they are not to be listed, or nothing can be read: who presses TAB wants no errors. */
export async function valuesFor(
  flag: string | undefined,
  placeholder: string,
  line: Line,
): Promise<readonly Suggestion[]> {
  const source = SOURCES[flag ?? ''] ?? SOURCES[placeholder];
  try {
    return (await source?.(line)) ?? [];
  } catch {
    return [];
  }
}

function fixed(...texts: readonly string[]): Source {
  return () => texts.map((text) => ({ text }));
}

async function images({ env, args }: Line): Promise<readonly Suggestion[]> {
  const names = (await listImages({ env })).flatMap(({ name }) => name ?? []);
  return [...new Set(names)].filter((name) => !args.includes(name)).map((text) => ({ text }));
}

interface Row {
  readonly name?: string;
  readonly description?: string;
}

function named(rows: readonly Row[]): Suggestion[] {
  return rows.flatMap(({ name, description }) =>
    name ? [{ text: name, ...(description ? { about: description } : {}) }] : [],
  );
}

/** What the Dockerfile says, if it is one of this machine: nothing is fetched for a TAB, and stdin is the terminal. */
async function describe<T>(
  { flags, args, env }: Line,
  ask: (options: BuildOptions) => PromiseLike<T>,
): Promise<T | undefined> {
  const [context = '.'] = args;
  const { file } = flags;
  const isLocal = statSync(context, { throwIfNoEntry: false })?.isDirectory() ?? false;
  if (!isLocal || file === '-') return undefined;
  return await ask({ context, env, ...(typeof file === 'string' ? { dockerfile: file } : {}) });
}
