/**
 * Running a container of an image in the foreground: what `docker run` does between its flags and the process. An
 * image says how it wants to run (its RunConfig), the caller changes what he likes, and {@link containerRequest}
 * makes of both what the executor understands. The container's changes are dropped with it.
 *
 *     const image = { layers, config, tree: stackTree(layers) };
 *     const { exitCode } = await runContainer(executor, image, { id, cwd, stdio: 'inherit' }, { signal });
 *
 * Statuses are docker's: 127 when the program is not there, 126 when it cannot be run; what fails before that is an
 * error, for which the command line has 125.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { isAbsolute, posix } from 'node:path';
import { isatty } from 'node:tty';
import { TsbuildError } from '../errors.ts';
import type { ExecOptions, ExecRequest, ExecResult, Executor } from '../executor/protocol.ts';
import type { Layer } from '../layer/layer.ts';
import type { RunConfig } from '../oci/config.ts';
import type { FileTree } from '../tree/file-tree.ts';
import { resolveUser } from '../tree/users.ts';
import { containerArgs } from './args.ts';
import { containerEnv } from './env.ts';
import { parseVolume } from './volume.ts';

export interface ContainerImage {
  readonly layers: readonly Layer[];
  readonly config: RunConfig;
  /** The image's files, in which users are looked up. */
  readonly tree: FileTree;
}

export interface ContainerOptions {
  /** 64 hex digits, or any other name that is unique. */
  readonly id: string;
  /** What relative paths of volumes are relative to. */
  readonly cwd: string;
  /** Replaces the image's Cmd. */
  readonly command?: readonly string[];
  /** Replaces the image's Entrypoint, and its Cmd with it; empty: none. */
  readonly entrypoint?: readonly string[];
  /** `NAME=value`; a later one wins, and all win over the image's. */
  readonly env?: readonly string[];
  readonly workdir?: string;
  readonly user?: string;
  readonly hostname?: string;
  /** `source:target[:options]`. */
  readonly volumes?: readonly string[];
  readonly network?: 'host' | 'none';
  readonly addHosts?: readonly (readonly [string, string])[];
  readonly readonly?: boolean;
  /** Connect stdin. */
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly stdio: 'inherit' | 'none';
}

/** @throws TsbuildError as {@link containerRequest}, and as `Executor.run` */
export async function runContainer(
  executor: Executor,
  image: ContainerImage,
  options: ContainerOptions,
  call: ExecOptions = {},
): Promise<ExecResult> {
  if (options.tty && options.stdio === 'inherit' && !isatty(0)) {
    throw new TsbuildError('USAGE', 'run a container with a terminal: stdin is not a terminal', {
      hint: 'leave out --tty (-t) where nobody types',
    });
  }
  const request = containerRequest(image, options);
  for (const mount of request.mounts) if (mount.type === 'bind') makeSource(mount.source);
  return executor.run(request, call);
}

/**
 * @throws TsbuildError `USAGE` for options that make no sense, `NOT_FOUND` for a user that the image does not have.
 */
export function containerRequest(image: ContainerImage, options: ContainerOptions): ExecRequest {
  const { id, stdio, tty = false } = options;
  const hostname = options.hostname ?? id.slice(0, 12);
  const { uid, gid, additionalGids, home } = resolveUser(
    image.tree,
    options.user ?? image.config.User ?? '',
  );
  return {
    ...{ id, hostname, stdio, tty },
    layers: image.layers,
    args: containerArgs(image.config, options),
    env: containerEnv(image.config, { hostname, home, tty, env: options.env ?? [] }),
    cwd: workdirOf(image.config, options),
    user: { uid, gid, additionalGids },
    network: options.network ?? 'host',
    addHosts: options.addHosts ?? [],
    readonlyRootfs: options.readonly ?? false,
    mounts: (options.volumes ?? []).map((volume) => parseVolume(volume, options.cwd)),
    security: 'sandbox',
    stdin: options.interactive ?? false,
  };
}

function workdirOf(config: RunConfig, options: ContainerOptions): string {
  const directory = options.workdir ?? (config.WorkingDir || '/');
  if (isAbsolute(directory)) return posix.normalize(directory);
  throw new TsbuildError('USAGE', `working directory ${directory}: the path must be absolute`);
}

/** As with docker, a directory that does not exist yet is made. */
function makeSource(source: string): void {
  if (existsSync(source)) return;
  try {
    mkdirSync(source, { recursive: true });
  } catch (cause) {
    throw new TsbuildError('USAGE', `volume: cannot make ${source}`, { cause });
  }
}
