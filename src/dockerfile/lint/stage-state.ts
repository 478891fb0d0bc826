/** What a stage has come to, instruction by instruction, as far as rules ask for it. */
import { posix } from 'node:path';
import type { Instruction } from '../instruction.ts';
import type { BaseConfig } from './walk.ts';

export interface StageState {
  readonly env: Record<string, string>;
  /** ARGs, with a value or not. */
  readonly declared: Set<string>;
  /** Triggers for a stage on top of this one. */
  readonly onBuild: string[];
  readonly previous: Instruction[];
  workdir: string;
  /** Whether a WORKDIR was met, here or below. */
  hasWorkdir: boolean;
  /** Whether a SHELL is in force. */
  hasShell: boolean;
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** A stage on an image. */
export function imageState({ Env, WorkingDir, Shell, OnBuild }: BaseConfig): StageState {
  // Without a prototype, for the names are anyone's.
  const env: Record<string, string> = Object.create(null);
  env.PATH = DEFAULT_PATH;
  for (const entry of Env ?? []) {
    const equals = entry.indexOf('=');
    env[entry.slice(0, equals)] = entry.slice(equals + 1);
  }
  return {
    env,
    declared: new Set(),
    onBuild: [...(OnBuild ?? [])],
    previous: [],
    workdir: WorkingDir || '/',
    hasWorkdir: false,
    hasShell: Shell !== undefined && Shell !== null && Shell.length > 0,
  };
}

/** A stage on a stage, which sees also the ARGs of that. */
export function childState(parent: StageState): StageState {
  const env: Record<string, string> = Object.assign(Object.create(null), parent.env);
  const { declared, onBuild } = parent;
  return { ...parent, env, declared: new Set(declared), onBuild: [...onBuild], previous: [] };
}

/** Takes note of an instruction, its words expanded. */
export function applyStep(state: StageState, instruction: Instruction): void {
  if (instruction.kind === 'env') {
    for (const { key, value } of instruction.pairs) state.env[key] = value;
  } else if (instruction.kind === 'workdir') {
    state.hasWorkdir = true;
    state.workdir = posix.resolve(state.workdir, instruction.path);
  } else if (instruction.kind === 'shell') {
    state.hasShell = instruction.args.length > 0;
  } else if (instruction.kind === 'onbuild') {
    state.onBuild.push(instruction.trigger);
  }
  state.previous.push(instruction);
}
