/**
 * What a stage is so far, while its instructions are folded in one after the other: its configuration, the variables that
 * words see, and the steps that made its files. Owned by lower.ts; nothing else changes it.
 */
import { posix } from 'node:path';
import type { ErrorDetails } from '../errors.ts';
import { TsbuildError } from '../errors.ts';
import type { ImageConfig, RunConfig } from '../oci/config.ts';
import { envMap } from '../oci/config.ts';
import type { Platform } from '../oci/platform.ts';
import type { PlannedHistory, StepId } from './step.ts';

/** What containerd, runc and Docker take where an image says nothing. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface StageState {
  readonly name: string;
  readonly index: number;
  readonly platform: Platform;
  /** ENV and ARG, the last value of each: what words and RUN see. */
  readonly env: Map<string, string>;
  /** ARGs declared so far, here or in a stage below: only for the history's `|1 NAME=value` form. */
  readonly args: Set<string>;
  config: Mutable<RunConfig>;
  author: string | undefined;
  /** CMD was given in this stage, so that a later ENTRYPOINT keeps it. */
  cmdSet: boolean;
  result: StepId | undefined;
  readonly history: PlannedHistory[];
  base: { readonly image: number } | undefined;
}

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A stage that starts from nothing: `FROM scratch`. */
export function scratchConfig(platform: Platform): ImageConfig {
  return {
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.variant ? { variant: platform.variant } : {}),
    config: { WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: [] },
  };
}

/** A stage that starts from an image's (or another stage's) configuration. */
export function startStage(
  stage: { name: string; index: number; platform: Platform },
  base: Pick<ImageConfig, 'config' | 'author'> &
    Partial<Readonly<Pick<StageState, 'env' | 'args'>>>,
  history: readonly PlannedHistory[],
): StageState {
  const config: Mutable<RunConfig> = { ...base.config };
  const env = envMap(config.Env);
  if (!env.has('PATH')) config.Env = [`PATH=${DEFAULT_PATH}`, ...(config.Env ?? [])];
  delete config.OnBuild;
  return {
    ...stage,
    // A stage sees the ARGs of the one that it is built on; ENV wins over them, whichever came later there.
    env: new Map([...(base.env ?? []), ...envMap(config.Env)]),
    args: new Set(base.args),
    config,
    author: base.author,
    cmdSet: false,
    result: undefined,
    history: [...history],
    base: undefined,
  };
}

/** Where RUN and COPY are; WORKDIR may hold `/a//b/../`. */
export function workdirOf({ config }: StageState): string {
  return posix.resolve('/', config.WorkingDir ?? '');
}

/** What words and RUN see, as `NAME=value`. */
export function envList({ env }: StageState): string[] {
  const list: string[] = [];
  // Not by its entries, which are an array each: every RUN has such a list.
  env.forEach((value, name) => {
    list.push(`${name}=${value}`);
  });
  return list;
}

/** `value` under `name` in a list of `NAME=value`, where it was or at the end. */
export function withEnv(env: readonly string[] | undefined, name: string, value: string): string[] {
  const list = [...(env ?? [])];
  const at = list.findIndex((entry) => entry === name || entry.startsWith(`${name}=`));
  if (at < 0) list.push(`${name}=${value}`);
  else list[at] = `${name}=${value}`;
  return list;
}

export function planError(message: string, details: ErrorDetails): TsbuildError {
  return new TsbuildError('DOCKERFILE_PARSE', message, details);
}
