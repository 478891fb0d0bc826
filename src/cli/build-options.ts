/** The flags of `build`, and what they say as the API's options. */
import { TsbuildError } from '../errors.ts';
import { contextName, parseReference } from '../oci/reference.ts';
import type { BuildOptions, NetworkMode, OutputOptions, SecretSource } from '../options.ts';
import type { OutputStream } from './command.ts';
import { type FlagTable, type FlagValues, usage } from './flags.ts';
import { PROGRESS_FLAG } from './follow.ts';
import { parseOutput } from './parse-output.ts';
import {
  fromEnvironment,
  pairs,
  parseAddHost,
  parseFields,
  parseSize,
  parseUlimit,
  splitCommas,
  splitPair,
  withoutUndefined,
} from './values.ts';

export const BUILD_FLAGS = {
  tag: {
    type: 'list',
    short: 't',
    value: 'NAME[:TAG]',
    help: 'Name of the image; several allowed',
  },
  file: {
    type: 'string',
    short: 'f',
    value: 'PATH',
    help: "Dockerfile (default: CONTEXT/Dockerfile); '-' reads it from stdin",
  },
  output: {
    type: 'list',
    short: 'o',
    value: 'DEST',
    help: "Also write the result: type=oci|docker|local|tar|image|registry,dest=PATH; a bare PATH is type=local, '-' a tar on stdout; several allowed",
  },
  push: { type: 'boolean', help: 'Push every name to its registry (-o type=registry)' },
  load: { type: 'boolean', help: 'Keep the image in the local store (always done; for scripts)' },
  'build-arg': {
    type: 'list',
    value: 'NAME[=VALUE]',
    help: 'Value of an ARG; without =VALUE, that of the environment',
  },
  'build-context': {
    type: 'list',
    value: 'NAME=SOURCE',
    help: 'A further context for FROM, COPY --from and mounts: a directory, docker-image://REF, oci-layout://DIR or a URL',
  },
  target: { type: 'string', value: 'STAGE', help: 'Build this stage instead of the last' },
  platform: {
    type: 'list',
    value: 'OS/ARCH',
    help: "Platforms to build for (default: this machine's)",
  },
  label: { type: 'list', value: 'KEY=VALUE', help: 'Label of the image; several allowed' },
  annotation: { type: 'list', value: 'KEY=VALUE', help: 'Annotation of the manifest' },
  'no-cache': { type: 'boolean', help: 'Run every step again' },
  'no-cache-filter': { type: 'list', value: 'STAGE', help: 'Run every step of these stages again' },
  pull: { type: 'boolean', help: 'Ask the registry for newer base images' },
  network: {
    type: 'string',
    choices: ['default', 'host', 'none'],
    help: "Network of RUN steps (default: the host's)",
  },
  'add-host': { type: 'list', value: 'HOST:IP', help: 'A line of /etc/hosts during RUN' },
  secret: {
    type: 'list',
    value: 'id=ID[,src=FILE|,env=NAME]',
    help: 'A secret for RUN --mount=type=secret; stays out of image, cache and log',
  },
  ssh: {
    type: 'list',
    value: 'default|ID[=SOCKET|KEY]',
    help: 'Agent socket or keys for RUN --mount=type=ssh',
  },
  allow: {
    type: 'list',
    value: 'ENTITLEMENT',
    help: 'Permit what steps may ask for: network.host, security.insecure',
  },
  'shm-size': { type: 'string', value: 'SIZE', help: 'Size of /dev/shm during RUN (default: 64m)' },
  ulimit: { type: 'list', value: 'NAME=SOFT[:HARD]', help: 'Resource limit of RUN steps' },
  'cgroup-parent': { type: 'string', value: 'PATH', help: 'Control group in which RUN steps live' },
  provenance: {
    type: 'string',
    value: 'false',
    alone: 'true',
    help: "No attestations are made; for scripts, which say 'false'",
  },
  sbom: { type: 'string', value: 'false', alone: 'true', help: 'As --provenance' },
  builder: { type: 'string', value: 'NAME', help: 'Not heeded: there is one builder; for scripts' },
  call: {
    type: 'string',
    value: 'check|outline|targets[,format=json]',
    help: 'Describe the Dockerfile instead of building it',
  },
  check: { type: 'boolean', help: 'The same as --call=check' },
  quiet: { type: 'boolean', short: 'q', help: 'No progress; print the image id' },
  progress: PROGRESS_FLAG,
  iidfile: { type: 'string', value: 'FILE', help: 'Write the image id to FILE' },
  'metadata-file': {
    type: 'string',
    value: 'FILE',
    help: 'Write digests and names to FILE, as JSON',
  },
  trace: {
    type: 'string',
    value: 'FILE',
    help: "Write where the time went, in Chrome's trace format",
  },
} as const satisfies FlagTable;

export type BuildFlags = FlagValues<typeof BUILD_FLAGS>;

interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: OutputStream;
}

/** Leaves out what was not said. @throws TsbuildError `USAGE` */
export function buildOptions(
  flags: BuildFlags,
  context: string,
  { env, stdout }: Surroundings,
): BuildOptions {
  return withoutUndefined({
    context,
    env,
    dedicated: true,
    dockerfile: flags.file,
    tags: flags.tag,
    buildArgs: fromEnvironment(flags['build-arg'], env),
    buildContexts: buildContexts(flags['build-context']),
    target: flags.target,
    labels: pairs(flags.label),
    annotations: flags.annotation,
    platforms: commaLists(flags.platform, 'platform'),
    noCache: flags['no-cache'],
    noCacheFilter: commaLists(flags['no-cache-filter'], 'no-cache-filter'),
    pull: flags.pull,
    network: flags.network as NetworkMode | undefined,
    addHosts: flags['add-host'].map(parseAddHost),
    secrets: Object.fromEntries(flags.secret.map((text) => parseSecret(text, env))),
    ssh: Object.fromEntries(flags.ssh.map(parseSsh)),
    allow: commaLists(flags.allow, 'allow'),
    shmSize: flags['shm-size'] === undefined ? undefined : parseSize(flags['shm-size'], 'shm-size'),
    ulimits: flags.ulimit.map(parseUlimit),
    cgroupParent: flags['cgroup-parent'],
    outputs: outputs(flags, stdout),
    sourceDateEpoch: sourceDateEpoch(env.SOURCE_DATE_EPOCH),
  });
}

function outputs(flags: BuildFlags, stdout: OutputStream): OutputOptions[] {
  const written = flags.output.map((text) => parseOutput(text, stdout));
  if (written.filter((output) => output.dest === stdout).length > 1) {
    throw usage('flag --output: only one result can go to stdout');
  }
  const pushed = written.some((output) => output.type === 'registry');
  return flags.push && !pushed ? [...written, { type: 'registry' }] : written;
}

function buildContexts(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries.map((entry) => {
      const [name, source] = splitPair(entry);
      if (name === '' || !source) {
        throw usage(`flag --build-context: ${JSON.stringify(entry)} is not NAME=SOURCE`);
      }
      // Refuses what no FROM could name.
      parseReference(name);
      return [contextName(name), source];
    }),
  );
}

function commaLists(entries: readonly string[], flag: string): string[] {
  return entries.flatMap((entry) => splitCommas(entry, flag)).map((entry) => entry.trim());
}

/** Without a source, the secret is the environment variable of its name, or else the file of its name. */
function parseSecret(text: string, env: Surroundings['env']): readonly [string, SecretSource] {
  const fields = parseFields(text, 'secret');
  const id = fields.get('id');
  if (!id)
    throw usage(`flag --secret: no id in ${JSON.stringify(text)}`, 'write it as id=NAME,src=FILE');
  const type = fields.get('type');
  for (const key of fields.keys()) {
    if (!['id', 'type', 'src', 'source', 'env'].includes(key)) {
      throw usage(`flag --secret: unknown field ${JSON.stringify(key)}`);
    }
  }
  if (type !== undefined && type !== 'file' && type !== 'env') {
    throw usage(`flag --secret: unknown type ${JSON.stringify(type)}`);
  }
  const source = fields.get('src') ?? fields.get('source');
  const name = fields.get('env') ?? (type === 'env' ? source : undefined);
  if (name !== undefined) return [id, { env: name }];
  if (source !== undefined) return [id, { file: source }];
  return [id, env[id] === undefined ? { file: id } : { env: id }];
}

function parseSsh(text: string): readonly [string, readonly string[]] {
  const [id, paths] = splitPair(text);
  return [id, paths ? paths.split(',') : []];
}

function sourceDateEpoch(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,12}$/.test(text)) {
    throw new TsbuildError('USAGE', `SOURCE_DATE_EPOCH is not a number of seconds: ${text}`);
  }
  return Number(text);
}
