/** FROM: what a stage starts with, be it an earlier stage, an image, a named context or nothing. */
import type { From, Instruction } from '../dockerfile/instruction.ts';
import { parseOnbuildTrigger } from '../dockerfile/onbuild.ts';
import { findBaseStage, type Stage } from '../dockerfile/stages.ts';
import { expandWord } from '../dockerfile/words.ts';
import { locate, TsbuildError } from '../errors.ts';
import { type Platform, parsePlatform } from '../oci/platform.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import { located } from './lowering.ts';
import type { NamedImage } from './named-context.ts';
import { addImage, addStep, imageConfig, namedContext, type Planner } from './planner-state.ts';
import { planError, type StageState, scratchConfig, startStage } from './stage-state.ts';
import type { Op, PlanImage, StepId } from './step.ts';

export interface StageStart {
  readonly state: StageState;
  /** ONBUILD triggers of the base, which come before the stage's own instructions. */
  readonly triggers: readonly Instruction[];
  /** Steps that the FROM itself makes. */
  readonly steps: readonly StepId[];
}

export async function startFrom(
  planner: Planner,
  stage: Stage,
  path: readonly number[],
): Promise<StageStart> {
  const { from } = stage;
  const base = expandFrom(planner, from, from.base);
  const named = [base, ...(stage.name === undefined ? [] : [stage.name])].find((name) =>
    namedContext(planner, name),
  );
  if (named !== undefined) {
    const context = namedContext(planner, named)!;
    return context.type === 'files'
      ? fromContext(planner, stage, context.name)
      : fromImage(planner, stage, context);
  }
  const earlier = findBaseStage(planner.stages, base, stage.index);
  if (earlier !== undefined)
    return fromStage(planner, stage, await planner.stageState(earlier, path));
  if (base === 'scratch') {
    // Whatever FROM says: nothing is for no platform, and becomes an image for the target's.
    const platform = planner.targetPlatform;
    return {
      state: startStage({ ...identity(planner, stage), platform }, scratchConfig(platform), []),
      triggers: [],
      steps: [],
    };
  }
  return fromImage(planner, stage, { type: 'image', reference: base });
}

/** Refuses what is wrong with a FROM in whichever stage, needed or not: words, platforms, and names that none can be. */
export function checkBases(planner: Planner): void {
  for (const { index, from, name } of planner.stages) {
    const { location } = from;
    const base = expandFrom(planner, from, from.base);
    if (base === '') throw planError('base name (FROM) should not be blank', { location });
    stagePlatform(planner, from);
    const isImage = base !== 'scratch' && !findBaseStage(planner.stages, base, index);
    for (const reference of [...(isImage ? [base] : []), ...(name === undefined ? [] : [name])]) {
      if (namedContext(planner, reference)) continue;
      try {
        parseReference(reference);
      } catch (error) {
        throw locate(error, { location });
      }
    }
  }
}

/** The image that a stage starts from, if it is one and its name can be told; never throws. */
export function baseImage(planner: Planner, stage: Stage): PlanImage | undefined {
  try {
    const base = expandFrom(planner, stage.from, stage.from.base);
    if (
      base === 'scratch' ||
      namedContext(planner, base) ||
      namedContext(planner, stage.name ?? '')
    )
      return undefined;
    if (findBaseStage(planner.stages, base, stage.index) !== undefined) return undefined;
    return {
      reference: formatReference(parseReference(base)),
      platform: stagePlatform(planner, stage.from),
    };
  } catch {
    return undefined;
  }
}

function fromStage(planner: Planner, stage: Stage, parent: StageState): StageStart {
  const { config, author, history, result, base, env, args } = parent;
  const state = startStage(
    // Whatever its own FROM says: the files are those of the other.
    { ...identity(planner, stage), platform: parent.platform },
    { config, env, args, ...(author ? { author } : {}) },
    history,
  );
  state.result = result;
  state.base = base;
  return { state, triggers: triggersOf(config.OnBuild, stage.from), steps: [] };
}

async function fromImage(planner: Planner, stage: Stage, named: NamedImage): Promise<StageStart> {
  const { location } = stage.from;
  const { reference } = named;
  const image = addImage(planner, named, stagePlatform(planner, stage.from), location);
  const config = await imageConfig(planner, image, location);
  const history = (config.history ?? []).map((entry) => ({ entry }));
  const state = startStage(identity(planner, stage), config, history);
  state.base = { image };
  const op: Op = { type: 'image', reference, image };
  const step = addStep(planner, state, op, { name: `FROM ${reference}`, location, inputs: [] });
  return { state, triggers: triggersOf(config.config?.OnBuild, stage.from), steps: [step] };
}

/** A stage made of a named context: all its files. */
function fromContext(planner: Planner, stage: Stage, name: string): StageStart {
  const { location, platform } = {
    location: stage.from.location,
    platform: stagePlatform(planner, stage.from),
  };
  const state = startStage(identity(planner, stage), scratchConfig(platform), []);
  const op: Op = {
    type: 'copy',
    instruction: 'COPY',
    from: { type: 'context', name },
    sources: ['.'],
    inline: [],
    destination: '/',
    workdir: '/',
    parents: false,
    exclude: [],
  };
  const step = addStep(planner, state, op, { name: `FROM ${name}`, location, inputs: [] });
  state.history.push({ entry: { created_by: `FROM ${name}`, comment: 'tsbuild' }, step });
  return { state, triggers: [], steps: [step] };
}

function identity(planner: Planner, stage: Stage) {
  return {
    name: stage.name ?? `stage-${stage.index}`,
    index: stage.index,
    platform: stagePlatform(planner, stage.from),
  };
}

function stagePlatform(planner: Planner, from: From): Platform {
  if (from.platform === undefined) return planner.targetPlatform;
  const text = expandFrom(planner, from, from.platform);
  try {
    if (text === 'local') throw new TsbuildError('PLATFORM', 'only --platform may be local');
    return parsePlatform(text, planner.options.buildPlatform);
  } catch (error) {
    throw locate(error, { location: from.location });
  }
}

function expandFrom(planner: Planner, from: From, word: string): string {
  const env = Object.fromEntries(planner.globalArgs);
  return located(from.location, () => expandWord(word, env, { escape: planner.dockerfile.escape }));
}

function triggersOf(onBuild: readonly string[] | undefined, from: From): readonly Instruction[] {
  return (onBuild ?? []).map((trigger) => parseOnbuildTrigger(trigger, from.location));
}
