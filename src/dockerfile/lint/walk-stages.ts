/** Stage by stage, instruction by instruction: the rules see each in the state in which a build would meet it. */
import { posix } from 'node:path';
import { locate, TsbuildError } from '../../errors.ts';
import { expandInstruction } from '../expand.ts';
import type { Arg, Expose, Instruction, Run } from '../instruction.ts';
import { mountFrom, parseMount } from '../mount.ts';
import { parseOnbuildTrigger } from '../onbuild.ts';
import { findCopyStage, findNamedStage, type Stage, stageReferences } from '../stages.ts';
import { splitWords, WordError } from '../words.ts';
import { resolveImages } from './base-images.ts';
import { applyStep, childState, imageState, type StageState } from './stage-state.ts';
import { report, type Walk } from './walk.ts';
import type { Bases, StageBase } from './walk-bases.ts';
import { WordWatch } from './word-watch.ts';

/** The stages that a target needs, itself included, in the file's order. */
export function neededStages({ all, stages }: Bases, target: Stage): readonly StageBase[] {
  const needed = new Set<number>();
  const visit = ({ index }: Stage) => {
    if (needed.has(index)) return;
    needed.add(index);
    const { stage, base } = all[index]!;
    if (base !== undefined) visit(base);
    for (const { stage: referred } of stageReferences(stages, stage)) visit(referred);
  };
  visit(target);
  return all.filter(({ stage }) => needed.has(stage.index));
}

export async function walkStages(
  bases: Bases,
  needed: readonly StageBase[],
  walk: Walk,
): Promise<void> {
  const imageOf = await resolveImages(bases, needed, walk);
  const done = new Map<number, StageState>();
  for (const stageBase of needed) {
    const { stage, base } = stageBase;
    const parent = base && done.get(base.index);
    const state = parent ? childState(parent) : imageState(imageOf(stageBase) ?? {});
    const triggers = state.onBuild.splice(0);
    const context: StageWalk = { bases, stage, state, walk };
    for (const trigger of triggers) {
      step(context, parseOnbuildTrigger(trigger, stage.from.location));
    }
    for (const instruction of stage.instructions) step(context, instruction);
    done.set(stage.index, state);
  }
}

interface StageWalk {
  readonly bases: Bases;
  readonly stage: Stage;
  readonly state: StageState;
  readonly walk: Walk;
}

function step(context: StageWalk, instruction: Instruction): void {
  try {
    if (instruction.kind === 'arg') stepArg(context, instruction);
    else if (instruction.kind === 'expose') stepExpose(context, instruction);
    else stepOther(context, instruction);
  } catch (error) {
    const { location } = instruction;
    if (!(error instanceof WordError)) throw locate(error, { location });
    throw new TsbuildError('DOCKERFILE_PARSE', error.message, { location, cause: error });
  }
}

/** The arguments of one ARG are met one after the other. */
function stepArg(context: StageWalk, instruction: Arg): void {
  const { state, bases, walk } = context;
  const given = walk.options.buildArgs ?? {};
  for (const argument of instruction.args) {
    const { name, value: standard } = argument;
    showStep(context, { ...instruction, args: [argument] });
    const value = Object.hasOwn(given, name)
      ? given[name]
      : standard === undefined
        ? bases.globals.values[name]
        : watch(context, instruction, ({ word }) => word(standard));
    if (value !== undefined) state.env[name] = value;
    state.declared.add(name);
  }
}

/** The engine sorts the words, does not mind undefined variables in them, and ends at the first that is no port. */
function stepExpose(context: StageWalk, instruction: Expose): void {
  const { state, bases, walk } = context;
  const words = [...instruction.ports].sort();
  const ports = words.flatMap((word) => splitWords(word, state.env, { escape: bases.escape }));
  for (const port of ports) {
    const single = { ...instruction, ports: [port] };
    showStep(context, single);
    walk.options.judge?.(single);
  }
}

function stepOther(context: StageWalk, written: Instruction): void {
  const { state, walk } = context;
  const instruction = watch(context, written, (words) => {
    if (written.kind === 'run') checkMounts(context, written, words);
    return expandInstruction(written, words);
  });
  if (instruction.kind === 'copy') refuseLaterStage(context, instruction.from);
  showStep(context, instruction);
  refuseEmptyVolume(instruction);
  walk.options.judge?.(instruction);
  applyStep(state, instruction);
}

/** Expands an instruction's words, and shows the rules which variables were asked for, whether or not that succeeded. */
function watch<T>(context: StageWalk, instruction: Instruction, work: (words: WordWatch) => T): T {
  const { state, walk, bases } = context;
  const words = new WordWatch(state.env, bases.escape);
  try {
    return work(words);
  } finally {
    const { env, declared } = state;
    for (const rule of walk.rules.checkVariables) {
      rule.checkVariables({ unset: words.unset, env, declared }, (detail) =>
        report(walk, rule, detail, instruction.location),
      );
    }
  }
}

function showStep({ state, walk }: StageWalk, instruction: Instruction): void {
  const { previous, hasShell, hasWorkdir } = state;
  const isIgnored = walk.options.isIgnored ?? (() => false);
  const sight = { instruction, previous, hasShell, hasWorkdir, isIgnored };
  for (const rule of walk.rules.checkStep) {
    rule.checkStep(sight, (detail, location) => {
      report(walk, rule, detail, location ?? instruction.location);
    });
  }
}

function checkMounts({ bases, stage, state }: StageWalk, run: Run, words: WordWatch): void {
  for (const text of run.mounts) {
    const mount = parseMount(text, { expand: words.word, location: run.location });
    const from = mountFrom(text);
    const source = from === undefined ? undefined : findNamedStage(bases.stages, from);
    if (source !== undefined && source.index >= stage.index) throw laterStage('mount', from!);
    if (mount.type === 'secret' || mount.type === 'ssh') continue;
    if (posix.resolve(state.workdir, mount.target) === '/') {
      throw new TsbuildError('DOCKERFILE_PARSE', 'invalid mount target "/"');
    }
  }
}

function refuseLaterStage({ bases, stage }: StageWalk, from: string | undefined): void {
  const source = from ? findCopyStage(bases.stages, from) : undefined;
  if (source !== undefined && source.index >= stage.index) throw laterStage('copy', from!);
}

function laterStage(verb: string, name: string): TsbuildError {
  return new TsbuildError(
    'DOCKERFILE_REFERENCE',
    `cannot ${verb} from stage ${JSON.stringify(name)}`,
    {
      hint: 'it needs to be defined before the stage that uses it',
    },
  );
}

function refuseEmptyVolume(instruction: Instruction): void {
  if (instruction.kind !== 'volume' || !instruction.paths.includes('')) return;
  throw new TsbuildError('DOCKERFILE_PARSE', 'VOLUME specified can not be an empty string');
}
