/** Carries out `run` of index.ts: finds the image or pulls it, and runs its container in the foreground. */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { runContainer } from './container/run.ts';
import { type Environment, openEnvironment } from './environment.ts';
import { TsbuildError } from './errors.ts';
import { tryLock } from './host/lock.ts';
import { findImage, findPresentImage, type Image } from './image/image.ts';
import { stackTree } from './layer/stack.ts';
import { hostPlatform, parsePlatform } from './oci/platform.ts';
import type { OperationContext } from './operation.ts';
import type { RunOptions, RunResult } from './options.ts';
import { asStep } from './step-events.ts';
import { useStore } from './store/lease.ts';

/** How a running container is reached from outside of the operation. */
export interface RunControl {
  /** Set while the container runs. */
  kill?: (signal: NodeJS.Signals) => void;
}

export async function performRun(
  options: RunOptions,
  operation: OperationContext,
  control: RunControl,
): Promise<RunResult> {
  const { emit, signal } = operation;
  await using environment = openEnvironment(options, emit);
  // It needs longer to start than all that follows here.
  const executor = await environment.executor();
  executor.warm();
  await using _name = await takeName(environment, options.name);
  await using _lease = await useStore(environment.store, signal);
  const image = await findOrPull(environment, options, operation);
  const id = randomBytes(32).toString('hex');
  control.kill = (name) => executor.kill(id, name);
  const container = {
    layers: image.layers,
    config: image.config.config ?? {},
    tree: stackTree(image.layers),
  };
  const settings = {
    ...containerOptions(options),
    id,
    cwd: environment.workdir,
    stdio: options.stdio === 'events' ? 'none' : 'inherit',
  } as const;
  // Awaited here: what is in use must not be disposed of before the container has ended.
  if (settings.stdio === 'inherit')
    return await runContainer(executor, container, settings, { signal });
  return await asStep({ id, kind: 'run', name: `run ${options.image}` }, emit, (step) => {
    const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
    const onOutput = (stream: 'stdout' | 'stderr', bytes: Uint8Array) =>
      emit({
        type: 'step.log',
        step,
        stream,
        text: decoders[stream].decode(bytes, { stream: true }),
      });
    return runContainer(executor, container, settings, { signal, onOutput });
  });
}

/** Two containers of one name cannot run at a time; the kernel frees the name when its process dies. */
async function takeName(
  { store }: Environment,
  name: string | undefined,
): Promise<AsyncDisposable> {
  if (name === undefined) return { async [Symbol.asyncDispose]() {} };
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) {
    throw new TsbuildError('USAGE', `invalid container name ${JSON.stringify(name)}`, {
      hint: 'use letters, digits, and after the first also _ . -',
    });
  }
  store.prepare();
  mkdirSync(store.path('containers'), { recursive: true });
  const lock = await tryLock(store.path('containers', `${name}.lock`));
  if (lock !== undefined) return lock;
  throw new TsbuildError('CONFLICT', `a container named ${name} is running`, {
    hint: 'choose another --name',
  });
}

async function findOrPull(
  environment: Environment,
  options: RunOptions,
  operation: OperationContext,
): Promise<Image> {
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform);
  if (options.pull === 'never') return findImage(environment.store, options.image, platform);
  if (options.pull !== 'always') {
    const found = findPresentImage(environment.store, options.image, platform);
    if (found !== undefined) return found;
  }
  const { pullReference } = await import('./ship.ts');
  return pullReference(environment, {
    reference: options.image,
    platform: platform ?? hostPlatform(),
    ...operation,
  });
}

function containerOptions(options: RunOptions) {
  const given = {
    command: options.command,
    entrypoint: options.entrypoint,
    env: options.containerEnv,
    workdir: options.workdir,
    user: options.user,
    hostname: options.hostname,
    volumes: options.volumes,
    network: options.network,
    addHosts: options.addHosts,
    readonly: options.readonly,
    interactive: options.interactive,
    tty: options.tty,
  };
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  ) as Definite<typeof given>;
}

/** The members that were given. */
type Definite<T> = { [K in keyof T]?: Exclude<T[K], undefined> };
