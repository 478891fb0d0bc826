import { TsbuildError } from '../../errors.ts';
import { run as runImage } from '../../index.ts';
import type { RunOperation, RunOptions } from '../../options.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { readEnvFile } from '../env-file.ts';
import type { FlagTable, FlagValues } from '../flags.ts';
import { follow } from '../follow.ts';
import { runStatus } from '../run-status.ts';
import { fromEnvironment, parseAddHost, withoutUndefined } from '../values.ts';

const FLAGS = {
  rm: { type: 'boolean', help: 'Remove the container when it ends' },
  interactive: { type: 'boolean', short: 'i', help: 'Connect stdin' },
  tty: { type: 'boolean', short: 't', help: 'Give the container a terminal' },
  env: {
    type: 'list',
    short: 'e',
    value: 'NAME[=VALUE]',
    help: 'Environment variable; without =VALUE, that of the environment',
  },
  'env-file': { type: 'list', value: 'FILE', help: 'Environment variables, one a line' },
  volume: {
    type: 'list',
    short: 'v',
    value: 'DIR:PATH[:ro]',
    help: 'Show a directory or file of this machine in the container',
  },
  workdir: { type: 'string', short: 'w', value: 'PATH', help: 'Working directory' },
  user: { type: 'string', short: 'u', value: 'USER[:GROUP]', help: 'User, by name or number' },
  entrypoint: { type: 'string', value: 'PROGRAM', help: "Instead of the image's ENTRYPOINT" },
  network: { type: 'string', choices: ['host', 'none'], help: 'Network (default: host)' },
  'add-host': { type: 'list', value: 'HOST:IP', help: 'A line of /etc/hosts' },
  'read-only': { type: 'boolean', help: 'Mount the root filesystem read-only' },
  hostname: { type: 'string', short: 'h', value: 'NAME', help: 'Host name' },
  name: { type: 'string', value: 'NAME', help: 'Name of the container' },
  pull: {
    type: 'string',
    choices: ['always', 'missing', 'never'],
    help: 'When to ask the registry (default: missing)',
  },
  platform: { type: 'string', value: 'OS/ARCH', help: "Platform (default: this machine's)" },
  quiet: { type: 'boolean', short: 'q', help: 'No progress of a pull' },
} as const satisfies FlagTable;

export const run = defineCommand({
  name: 'run',
  synopsis: '[flags] IMAGE [COMMAND [ARGUMENT…]]',
  about: 'Runs a command in a container of an image, which is pulled when it is missing.',
  flags: FLAGS,
  notes:
    'Flags end at IMAGE. The exit status is that of the command; 125 if the container could not be made, 126 if the command cannot be executed, 127 if there is no such command. Signals go to the command.',
  examples: [
    { command: 'tsbuild run app', does: "Run the image's own command" },
    { command: 'tsbuild run --rm -it app sh', does: 'A shell in a terminal' },
    {
      command: 'tsbuild run --rm -v "$PWD:/work" -w /work -u 1000 app make test',
      does: 'A command on files of this machine',
    },
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  flagsFirst: true,
  failureStatus: runStatus,
  async run({ flags, args }, context) {
    const operation = runImage(runOptions(flags, args, context));
    forwardSignals(operation, context);
    const result = await follow(operation, context, { progress: undefined, quiet: flags.quiet });
    return result.exitCode;
  },
});

const FORCED_AFTER = 3;

/** Signals are the command's to handle; who sends a third one to end it wants it ended. */
function forwardSignals(operation: RunOperation, { takeSignals }: CommandContext): void {
  let ends = 0;
  takeSignals((signal) => {
    operation.kill(signal);
    if (signal === 'SIGINT' || signal === 'SIGTERM') ends += 1;
    if (ends === FORCED_AFTER) {
      operation.abort(new TsbuildError('ABORTED', `interrupted by ${FORCED_AFTER} signals`));
    }
  });
}

function runOptions(
  flags: FlagValues<typeof FLAGS>,
  [image, ...command]: readonly string[],
  { env }: CommandContext,
): RunOptions {
  return withoutUndefined({
    image: image!,
    env,
    dedicated: true,
    stdio: 'inherit' as const,
    command: command.length > 0 ? command : undefined,
    entrypoint: flags.entrypoint === undefined ? undefined : entrypoint(flags.entrypoint),
    containerEnv: containerEnv(flags, env),
    workdir: flags.workdir,
    user: flags.user,
    hostname: flags.hostname,
    name: flags.name,
    volumes: flags.volume,
    network: flags.network as RunOptions['network'],
    addHosts: flags['add-host'].map(parseAddHost),
    readonly: flags['read-only'],
    interactive: flags.interactive,
    tty: flags.tty,
    remove: flags.rm,
    pull: flags.pull as RunOptions['pull'],
    platform: flags.platform,
  });
}

/** `--entrypoint ''` takes the image's away. */
function entrypoint(program: string): string[] {
  return program === '' ? [] : [program];
}

/** Files first: what the command line says wins. */
function containerEnv(
  flags: FlagValues<typeof FLAGS>,
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  const entries = [...flags['env-file'].flatMap(readEnvFile), ...flags.env];
  return Object.entries(fromEnvironment(entries, env)).map(([name, value]) => `${name}=${value}`);
}
