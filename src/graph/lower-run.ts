/** RUN: what is executed, with which variables and mounts. */

import { heredocText, parseHeredocMarker } from '../dockerfile/heredoc.ts';
import type { Run } from '../dockerfile/instruction.ts';
import { type MountSpec, parseMount } from '../dockerfile/mount.ts';
import { type SourceLocation, TsbuildError } from '../errors.ts';
import { commandWords } from './lower-config.ts';
import { expand, type Lowering, MAIN_CONTEXT } from './lowering.ts';
import { envList, planError, workdirOf } from './stage-state.ts';
import type { FileSource, RunMount, RunOp, StepId } from './step.ts';

/** Where a script from a here-document is mounted. BuildKit's place, which scripts can see in `$0`. */
const SCRIPTS = '/dev/pipes';

export async function lowerRun(lowering: Lowering, run: Run): Promise<void> {
  const { state, options } = lowering;
  checkEntitlements(lowering, run);
  const { line, script } = commandOf(run);
  checkUtf8(lowering, run, script === undefined ? line : undefined);
  const args = commandWords(lowering, line === undefined ? run.command : { form: 'shell', line });
  const { BUILDKIT_SANDBOX_HOSTNAME: hostname } = options.buildArgs;
  const inputs: StepId[] = [];
  const mounts: RunMount[] = [];
  for (const text of run.mounts) {
    const mount = parseMount(text, {
      location: run.location,
      expand: (word) => expand(lowering, word, run.location),
    });
    mounts.push(await lowerMount(lowering, { run, mount, inputs, before: mounts }));
  }
  const op: RunOp = {
    type: 'run',
    args,
    ...(script ? { script } : {}),
    env: envList(state),
    proxyEnv: lowering.proxyEnv,
    user: state.config.User ?? '',
    workdir: workdirOf(state),
    mounts,
    ...(hostname ? { hostname } : {}),
    network: run.network,
    security: run.security,
  };
  checkStrings(op, run.location);
  lowering.addStep(op, { name: displayName(run), location: run.location, inputs });
  const declared = [...state.args].map((name) => `${name}=${state.env.get(name) ?? ''}`);
  const prefix = declared.length > 0 ? `|${declared.length} ${declared.join(' ')} ` : '';
  state.history.push({
    entry: { created_by: `RUN ${prefix}${args.join(' ')} # tsbuild`, comment: 'tsbuild' },
    ...(state.result === undefined ? {} : { step: state.result }),
  });
}

/** As the engine does, of what the RUN itself says: neither of comments in it nor of a script with a shebang. */
function checkUtf8({ notUtf8 }: Lowering, { location, original }: Run, heredocs = ''): void {
  if (notUtf8.size === 0 || !`${original}${heredocs}`.includes('\ufffd')) return;
  const { line: first, endLine = first } = location;
  const line = [...notUtf8].find((number) => number >= first && number <= endLine);
  if (line === undefined) return;
  throw planError(`RUN holds bytes that are not UTF-8, in line ${line}`, {
    location,
    hint: "save the Dockerfile as UTF-8, or write the bytes as escapes: printf '\\377'",
  });
}

/** The kernel would take them up to the NUL. */
function checkStrings({ args, env, workdir }: RunOp, location: SourceLocation): void {
  const hasNul = (text: string) => text.includes('\0');
  const string = args.find(hasNul) ?? env.find(hasNul) ?? [workdir].find(hasNul);
  if (string === undefined) return;
  throw planError(`${JSON.stringify(string)} holds a NUL character`, {
    location,
    hint: 'no argument, variable or path of a process can hold one',
  });
}

/**
 * A lone here-document is the script itself: run by the shell, or by its own interpreter when it has a shebang. In any
 * other place the shell reads it, so the line and its here-documents are put together again.
 */
function commandOf(run: Run): { line?: string; script?: RunOp['script'] } {
  const [first] = run.heredocs;
  if (first === undefined) return {};
  if (run.command.form !== 'shell') {
    throw new TsbuildError('DOCKERFILE_PARSE', 'a here-document needs the shell form of RUN', {
      location: run.location,
    });
  }
  const { line } = run.command;
  if (parseHeredocMarker(line) === undefined) {
    return {
      line: run.heredocs.reduce((text, { name, content }) => `${text}\n${content}${name}`, line),
    };
  }
  const content = heredocText(first);
  if (!first.content.startsWith('#!')) return { line: content };
  const path = `${SCRIPTS}/${first.name}`;
  return { line: path, script: { path, content } };
}

function displayName(run: Run): string {
  return run.original.replace(/\s+/g, ' ').trim();
}

function checkEntitlements({ options }: Lowering, run: Run): void {
  const needed = [
    ...(run.network === 'host' ? ['network.host'] : []),
    ...(run.security === 'insecure' ? ['security.insecure'] : []),
  ];
  const refused = needed.find((entitlement) => !options.allow.includes(entitlement));
  if (refused !== undefined) {
    throw new TsbuildError(
      'DOCKERFILE_PARSE',
      `granting entitlement ${refused} is not allowed by this build`,
      {
        location: run.location,
        hint: `allow it with --allow ${refused}, if you trust the Dockerfile`,
      },
    );
  }
  if (run.devices.length > 0) {
    throw new TsbuildError('UNSUPPORTED_HOST', 'RUN --device is not supported', {
      location: run.location,
    });
  }
}

interface MountLowering {
  readonly run: Run;
  readonly mount: MountSpec;
  readonly inputs: StepId[];
  /** Those of the same RUN. */
  readonly before: readonly RunMount[];
}

async function lowerMount(
  lowering: Lowering,
  { run, mount, inputs, before }: MountLowering,
): Promise<RunMount> {
  const from = async (name: string | undefined): Promise<FileSource> => {
    const origin =
      name === undefined ? MAIN_CONTEXT : await lowering.origin(name, 'mount', run.location);
    if (origin.source.type !== 'input') return origin.source;
    inputs.push(...origin.inputs);
    return { type: 'input', input: inputs.length - 1 };
  };
  switch (mount.type) {
    case 'bind': {
      const { source = '', target, readonly } = mount;
      return { type: 'bind', from: await from(mount.from), source, target, readonly };
    }
    case 'cache': {
      const { from: origin, source = '', mode = 0o755, uid = 0, gid = 0, ...rest } = mount;
      return {
        ...rest,
        source,
        mode,
        uid,
        gid,
        ...(origin === undefined ? {} : { from: await from(origin) }),
      };
    }
    case 'ssh': {
      const number = before.filter(({ type }) => type === 'ssh').length;
      return { ...mount, target: mount.target ?? `/run/buildkit/ssh_agent.${number}` };
    }
    default:
      return mount;
  }
}
