/** RUN: one process on top of the parent's files; what it changed becomes the step's layer. */
import { randomBytes } from 'node:crypto';
import { type Recipe, recipe } from '../cache/recipe.ts';
import { RunError, TsbuildError } from '../errors.ts';
import type { ExecRequest, ExecResult, Executor } from '../executor/protocol.ts';
import type { RunOp } from '../graph/step.ts';
import { canRun } from '../host/emulation.ts';
import type { Layer } from '../layer/layer.ts';
import { digestOf } from '../oci/digest.ts';
import { formatPlatform, type Platform } from '../oci/platform.ts';
import { resolveUser } from '../tree/users.ts';
import type { OpHandler, StepContext } from './handler.ts';
import { createLogTail } from './log-tail.ts';
import type { MountEnvironment } from './mounts.ts';
import { mountRecipe, prepareMounts } from './mounts.ts';

export interface RunEnvironment extends MountEnvironment {
  readonly executor: () => Promise<Executor>;
  /** What `RUN --network=default` means in this build. */
  readonly network: 'host' | 'none';
  readonly addHosts: readonly (readonly [string, string])[];
  readonly shmSize?: number;
  readonly ulimits?: ExecRequest['ulimits'];
  readonly cgroupParent?: string;
  /** Seconds since 1970; clamps mtimes of what steps make. */
  readonly sourceDateEpoch?: number;
}

export function runHandler(environment: RunEnvironment): OpHandler<RunOp> {
  return async (context) => ({
    recipe: await runRecipe(context, environment),
    execute: () => execute(context, environment),
  });
}

async function runRecipe(
  context: StepContext<RunOp>,
  environment: RunEnvironment,
): Promise<Recipe> {
  const { step, parent } = context;
  const { op } = step;
  return recipe('run.v1', {
    parent: parent.chain,
    args: op.args,
    script: op.script && digestOf(op.script.content),
    env: op.env,
    user: op.user,
    workdir: op.workdir,
    mounts: await mountRecipe(context, environment),
    network: networkOf(op, environment),
    hostname: op.hostname,
    hosts: environment.addHosts.map(([name, address]) => `${name}=${address}`),
    security: op.security,
    platform: formatPlatform(step.platform),
    epoch: environment.sourceDateEpoch?.toString(),
  });
}

async function execute(
  context: StepContext<RunOp>,
  environment: RunEnvironment,
): Promise<Layer | undefined> {
  const { step, log, signal } = context;
  requirePlatform(step.platform);
  await using mounts = await prepareMounts(context, environment);
  const tail = createLogTail();
  const executor = await environment.executor();
  const { proxyEnv } = step.op;
  const env = [...withoutNames(step.op.env, proxyEnv), ...proxyEnv, ...mounts.env];
  const onOutput = (stream: 'stdout' | 'stderr', bytes: Uint8Array) => {
    tail.add(bytes);
    log(stream, bytes);
  };
  const result = await executor.run(
    { ...request(context, environment), env, mounts: mounts.mounts },
    { signal, onOutput },
  );
  for (const span of result.spans) context.span(span);
  if (result.exitCode !== 0) throw failure(step.op, result, mounts.redact(tail.lines()));
  return result.layer;
}

/** What the command line says of proxies comes before what ENV says. */
function withoutNames(entries: readonly string[], named: readonly string[]): string[] {
  const nameOf = (entry: string) => entry.slice(0, entry.indexOf('='));
  const names = new Set(named.map(nameOf));
  return entries.filter((entry) => !names.has(nameOf(entry)));
}

function networkOf(op: RunOp, environment: RunEnvironment): 'host' | 'none' {
  return op.network === 'default' ? environment.network : op.network;
}

function request(
  { step, parent }: StepContext<RunOp>,
  environment: RunEnvironment,
): Omit<ExecRequest, 'env' | 'mounts'> {
  const { op } = step;
  const { uid, gid, additionalGids } = resolveUser(parent.tree, op.user);
  const { shmSize, ulimits, cgroupParent, sourceDateEpoch } = environment;
  return {
    id: `build-${randomBytes(8).toString('hex')}`,
    layers: parent.layers,
    args: op.args,
    cwd: op.workdir,
    user: { uid, gid, additionalGids },
    // BuildKit's name for it: some builds write their host's name into a file.
    hostname: op.hostname ?? 'buildkitsandbox',
    network: networkOf(op, environment),
    addHosts: environment.addHosts,
    readonlyRootfs: false,
    security: op.security,
    stdio: 'none',
    commit: sourceDateEpoch === undefined ? {} : { sourceDateEpoch },
    ...(shmSize === undefined ? {} : { shmSize }),
    ...(ulimits === undefined ? {} : { ulimits }),
    ...(cgroupParent === undefined ? {} : { cgroupParent }),
  };
}

function failure(op: RunOp, result: ExecResult, logTail: readonly string[]): RunError {
  const command = op.args
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word)))
    .join(' ');
  const details = {
    exitCode: result.exitCode,
    logTail,
    ...(result.signal ? { signal: result.signal } : {}),
  };
  if (result.oomKilled) {
    return new RunError(`process ${command} was killed for lack of memory`, details, {
      code: 'OUT_OF_MEMORY',
      hint: 'give the machine or the control group more memory, or run fewer steps at once',
    });
  }
  const how = result.signal
    ? `was ended by ${result.signal}`
    : `did not complete successfully: exit code: ${result.exitCode}`;
  const hint = EXIT_HINTS[result.exitCode];
  return new RunError(`process ${command} ${how}`, details, hint ? { hint } : {});
}

function requirePlatform(platform: Platform): void {
  if (canRun(platform)) return;
  const name = formatPlatform(platform);
  throw new TsbuildError('PLATFORM', `this machine cannot run programs for ${name}`, {
    hint: `install qemu-user-static with binfmt support, build on a ${name} machine, or move the step to a stage on --platform=$BUILDPLATFORM`,
  });
}

const EXIT_HINTS: Readonly<Record<number, string>> = {
  126: 'the file is not executable, or was made for another machine',
  127: 'the command was not found: is it installed in this stage, and in PATH?',
};
