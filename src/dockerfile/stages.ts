/**
 * Stages: a FROM and what follows it, and how other instructions refer to them. Who may be named how is uneven, and is so
 * in the engine:
 *
 *   FROM name             an earlier stage, letter for letter; never a number
 *   COPY --from=name|0    any stage, in any case, or by number; of several with one name the file's last
 *   --mount=from=name     as COPY, but never a number
 *   --target name         any stage, in any case
 *
 * A reference to a later stage is an error only in a stage that is built; a number without a stage, a variable, and a circle,
 * always.
 */
import { isTsbuildError, locate, TsbuildError } from '../errors.ts';
import type { Arg, From, Instruction } from './instruction.ts';
import { mountFrom } from './mount.ts';
import type { Dockerfile } from './parse.ts';
import { didYouMean } from './suggest.ts';

export interface Stage {
  readonly index: number;
  /** In lower case. */
  readonly name?: string;
  readonly from: From;
  /** Without the FROM. */
  readonly instructions: readonly Instruction[];
}

export interface Stages {
  /** The ARGs before the first FROM. */
  readonly globalArgs: readonly Arg[];
  /** At least one. */
  readonly stages: readonly Stage[];
}

/** Divides a Dockerfile at its FROMs. Throws `DOCKERFILE_PARSE` if something stands before the first, or there is none. */
export function splitStages(dockerfile: Dockerfile): Stages {
  const globalArgs: Arg[] = [];
  const stages: (Stage & { readonly instructions: Instruction[] })[] = [];
  for (const instruction of dockerfile.instructions) {
    const current = stages.at(-1);
    if (instruction.kind === 'from') {
      const name = instruction.stageName === undefined ? {} : { name: instruction.stageName };
      stages.push({ index: stages.length, ...name, from: instruction, instructions: [] });
    } else if (current !== undefined) {
      current.instructions.push(instruction);
    } else if (instruction.kind === 'arg') {
      globalArgs.push(instruction);
    } else {
      throw beforeFirstStage(instruction);
    }
  }
  if (stages.length === 0) {
    throw new TsbuildError('DOCKERFILE_PARSE', 'dockerfile contains no stages to build', {
      hint: 'begin it with FROM image',
    });
  }
  return { globalArgs, stages };
}

/** The stage that FROM names, if it is one: `name` is the expanded word. */
export function findBaseStage(
  stages: readonly Stage[],
  name: string,
  before: number,
): Stage | undefined {
  return stages.findLast((stage) => stage.index < before && stage.name === name);
}

/**
 * The stage that COPY's `--from` names, if it is one. Throws `DOCKERFILE_REFERENCE` for a number without a stage, and for a
 * variable, which is not expanded there.
 */
export function findCopyStage(stages: readonly Stage[], from: string): Stage | undefined {
  if (/\$./s.test(from)) {
    const message = 'variable expansion is not supported for --from';
    throw new TsbuildError('DOCKERFILE_REFERENCE', message, {
      hint: 'name the image in a stage of its own (FROM $image AS name) and use --from=name',
    });
  }
  if (!/^[+-]?\d+$/.test(from)) return findNamedStage(stages, from);
  const stage = stages[Number(from)];
  if (stage !== undefined) return stage;
  throw new TsbuildError('DOCKERFILE_REFERENCE', `invalid stage index ${from}`, {
    hint: `the stages have the numbers 0 to ${stages.length - 1}`,
  });
}

/** The stage that a mount's `from` or `--target` names, if it is one. */
export function findNamedStage(stages: readonly Stage[], name: string): Stage | undefined {
  const folded = name.toLowerCase();
  return stages.findLast((stage) => stage.name === folded);
}

/** The stage to build: the last, or the one that is asked for. */
export function findTarget(stages: readonly Stage[], target: string | undefined): Stage {
  if (target === undefined || target === '') return stages.at(-1)!;
  const stage = findNamedStage(stages, target);
  if (stage !== undefined) return stage;
  const names = stages.flatMap(({ name }) => name ?? []);
  const listed = names.length > 0 ? `the stages are ${names.join(', ')}` : 'no stage has a name';
  const hint = didYouMean(target, names) ?? listed;
  throw new TsbuildError(
    'DOCKERFILE_REFERENCE',
    `target stage ${JSON.stringify(target)} could not be found`,
    { hint },
  );
}

/** What the automatic argument TARGETSTAGE holds: the target's name, as it was asked for if it was. */
export function targetStageName(target: Stage, asked: string | undefined): string {
  return asked || (target.name ?? 'default');
}

/** The error for an image that cannot be had, which may have been meant as a stage. */
export function hintStage(error: unknown, name: string, stages: readonly Stage[]): unknown {
  const near = didYouMean(
    name,
    stages.flatMap((stage) => stage.name ?? []),
  );
  if (near !== undefined && isTsbuildError(error)) error.hint = near;
  return error;
}

export interface StageReference {
  readonly stage: Stage;
  readonly instruction: Instruction;
}

/** The stages whose files a stage's own instructions ask for, through COPY and mounts; not its base. */
export function stageReferences(stages: readonly Stage[], stage: Stage): StageReference[] {
  return stage.instructions.flatMap((instruction) => {
    return referredStages(stages, instruction).map((referred) => ({
      stage: referred,
      instruction,
    }));
  });
}

/** Throws `DOCKERFILE_REFERENCE` for what is wrong in whichever stage: a number without a stage, and a circle. */
export function checkStageReferences(stages: readonly Stage[]): void {
  const references = stages.map((stage) => stageReferences(stages, stage));
  const done = new Set<number>();
  /** The way here: stages, each with the instruction that leads on. */
  const path = new Map<number, Instruction>();
  const visit = (stage: Stage) => {
    for (const { stage: referred, instruction } of references[stage.index]!) {
      path.set(stage.index, instruction);
      const again = path.get(referred.index);
      if (again !== undefined) throw circle(referred, again);
      if (!done.has(referred.index)) visit(referred);
    }
    path.delete(stage.index);
    done.add(stage.index);
  };
  for (const stage of stages) if (!done.has(stage.index)) visit(stage);
}

function referredStages(stages: readonly Stage[], instruction: Instruction): Stage[] {
  if (instruction.kind === 'copy' && instruction.from) {
    return located(instruction, () => optional(findCopyStage(stages, instruction.from!)));
  }
  if (instruction.kind !== 'run') return [];
  return instruction.mounts.flatMap((mount) => {
    const from = mountFrom(mount);
    return from === undefined ? [] : optional(findNamedStage(stages, from));
  });
}

function optional<T>(value: T | undefined): T[] {
  return value === undefined ? [] : [value];
}

function located<T>(instruction: Instruction, find: () => T): T {
  try {
    return find();
  } catch (error) {
    throw locate(error, { location: instruction.location });
  }
}

function circle(stage: Stage, { location }: Instruction): TsbuildError {
  const name = stage.name ?? `stage-${stage.index}`;
  return new TsbuildError(
    'DOCKERFILE_REFERENCE',
    `circular dependency detected on stage: ${name}`,
    {
      location,
      hint: 'a stage can take files only from stages above it',
    },
  );
}

/** The error for an instruction other than ARG that stands before the first FROM. */
export function beforeFirstStage({ name, location }: Instruction): TsbuildError {
  return new TsbuildError(
    'DOCKERFILE_PARSE',
    `no build stage in current context: ${name} stands before the first FROM`,
    {
      location,
      hint: 'only ARG may stand before FROM',
    },
  );
}
