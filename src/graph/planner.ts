/**
 * From a parsed Dockerfile to a plan: the steps that the target needs, and the configuration it ends with.
 *
 * Stages are planned on demand, from the target backwards, so a stage that nothing needs is not even looked at: its
 * images are not asked for, its variables not expanded. A stage's configuration is known in full once its base's is, which
 * is why images are resolved here and files are not.
 */

import type { From, Instruction } from '../dockerfile/instruction.ts';
import { type Dockerfile, parseOnbuildTrigger } from '../dockerfile/parse.ts';
import { type Stage, splitStages } from '../dockerfile/stages.ts';
import { suggest } from '../dockerfile/suggest.ts';
import { expandWord } from '../dockerfile/words.ts';
import { locate, type SourceLocation, TsbuildError } from '../errors.ts';
import type { ImageConfig } from '../oci/config.ts';
import { formatPlatform, type Platform, parsePlatform } from '../oci/platform.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import { lower } from './lower.ts';
import { type Lowering, located, type Origin, type PlanOptions } from './lowering.ts';
import { platformArgs } from './platform-args.ts';
import { type StageState, scratchConfig, startStage } from './stage-state.ts';
import type { Op, Plan, PlanImage, PlannedStage, Step, StepId } from './step.ts';

interface Planner {
  readonly dockerfile: Dockerfile;
  readonly options: PlanOptions;
  readonly stages: readonly Stage[];
  readonly globalArgs: ReadonlyMap<string, string>;
  readonly steps: Map<StepId, Step>;
  readonly images: PlanImage[];
  readonly planned: Map<number, Promise<StageState>>;
}

/** @throws TsbuildError `DOCKERFILE_PARSE`, `DOCKERFILE_REFERENCE`, and what `resolveImage` throws */
export async function planBuild(dockerfile: Dockerfile, options: PlanOptions): Promise<Plan> {
  const { stages, globalArgs } = splitStages(dockerfile);
  const target = pickTarget(stages, options.target);
  const planner: Planner = {
    dockerfile,
    options,
    stages,
    globalArgs: evaluateGlobals(dockerfile, globalArgs, options),
    steps: new Map(),
    images: [],
    planned: new Map(),
  };
  const state = await stageState(planner, target);
  const labels = Object.entries(options.labels);
  if (labels.length > 0) state.config.Labels = { ...state.config.Labels, ...options.labels };
  return { steps: planner.steps, images: planner.images, target: finished(state) };
}

/** The stage that `--target` names, by name or number; the last one by default. */
export function pickTarget(stages: readonly Stage[], target: string | undefined): Stage {
  if (target === undefined || target === '') return stages.at(-1)!;
  const named = findStage(stages, target, stages.length);
  if (named !== undefined) return named;
  const names = stages.flatMap((stage) => stage.name ?? []);
  const near = suggest(target, names);
  const known = names.length > 0 ? `the stages are ${names.join(', ')}` : 'no stage has a name';
  throw new TsbuildError(
    'DOCKERFILE_REFERENCE',
    `target stage ${JSON.stringify(target)} could not be found`,
    {
      hint: near === undefined ? known : `did you mean ${near}?`,
    },
  );
}

/** Stages before `before`, the latest of a name first, then by number. */
function findStage(stages: readonly Stage[], name: string, before: number): Stage | undefined {
  const visible = stages.slice(0, before);
  const byName = visible.findLast((stage) => stage.name === name.toLowerCase());
  return byName ?? (/^\d+$/.test(name) ? visible[Number(name)] : undefined);
}

function evaluateGlobals(
  dockerfile: Dockerfile,
  args: ReturnType<typeof splitStages>['globalArgs'],
  options: PlanOptions,
): ReadonlyMap<string, string> {
  const automatic = platformArgs(
    options.targetPlatform,
    options.buildPlatform,
    options.target || 'default',
  );
  const values = new Map(Object.entries(automatic));
  for (const name of values.keys()) {
    if (Object.hasOwn(options.buildArgs, name)) values.set(name, options.buildArgs[name]!);
  }
  for (const { args: declared, location } of args) {
    for (const { name, value: standard } of declared) {
      const given = Object.hasOwn(options.buildArgs, name) ? options.buildArgs[name] : undefined;
      const value = given ?? expandGlobal(standard, values, dockerfile.escape, location);
      if (value !== undefined) values.set(name, value);
    }
  }
  return values;
}

function expandGlobal(
  word: string | undefined,
  values: ReadonlyMap<string, string>,
  character: string,
  location: SourceLocation,
): string | undefined {
  if (word === undefined) return undefined;
  return located(location, () =>
    expandWord(word, Object.fromEntries(values), { escape: character }),
  );
}

function stageState(planner: Planner, stage: Stage): Promise<StageState> {
  let pending = planner.planned.get(stage.index);
  if (pending === undefined) {
    pending = planStage(planner, stage);
    planner.planned.set(stage.index, pending);
  }
  return pending;
}

async function planStage(planner: Planner, stage: Stage): Promise<StageState> {
  const label = stage.name ?? `stage-${stage.index}`;
  const { state, triggers, steps } = await startFrom(planner, stage, label);
  const lowering: Lowering = {
    state,
    escape: planner.dockerfile.escape,
    options: planner.options,
    globalArgs: planner.globalArgs,
    addStep(op, { name, location, inputs }) {
      steps.push(addStep(planner, state, op, { name, location, inputs }));
    },
    origin: (name, location) => findOrigin(planner, stage, name, location),
  };
  for (const instruction of [...triggers, ...stage.instructions]) {
    try {
      await lower(lowering, instruction);
    } catch (error) {
      throw locate(error, { location: instruction.location });
    }
  }
  numberSteps(planner, steps, stage.name ?? (planner.stages.length > 1 ? label : ''));
  return state;
}

/** The state in which a stage begins: its base's configuration, files and ONBUILD triggers. */
async function startFrom(planner: Planner, stage: Stage, label: string) {
  const { from } = stage;
  const base = expandFrom(planner, from, from.base);
  const platform = stagePlatform(planner, from);
  const identity = { name: label, index: stage.index, platform };
  const contextValue =
    planner.options.buildContexts[base] ?? planner.options.buildContexts[stage.name ?? '\0'];
  const earlier = findNamedStage(planner.stages, base, stage.index);
  if (base === '')
    throw new TsbuildError('DOCKERFILE_PARSE', 'base name (FROM) should not be blank', {
      location: from.location,
    });
  if (contextValue === undefined && earlier !== undefined) {
    const parent = await stageState(planner, earlier);
    const state = startStage(
      identity,
      { config: parent.config, ...(parent.author ? { author: parent.author } : {}) },
      parent.history,
    );
    state.result = parent.result;
    state.base = parent.base;
    return { state, triggers: triggersOf(parent.config.OnBuild, from), steps: [] as StepId[] };
  }
  if (contextValue === undefined && base === 'scratch') {
    return {
      state: startStage(identity, scratchConfig(platform), []),
      triggers: [],
      steps: [] as StepId[],
    };
  }
  if (contextValue !== undefined && !contextValue.startsWith('docker-image://')) {
    const state = startStage(identity, scratchConfig(platform), []);
    const op = contextCopy(planner.options.buildContexts[base] === undefined ? stage.name! : base);
    const step = addStep(planner, state, op, {
      name: `FROM ${base}`,
      location: from.location,
      inputs: [],
    });
    return { state, triggers: [], steps: [step] };
  }
  const reference =
    contextValue === undefined ? base : contextValue.slice('docker-image://'.length);
  const image = addImage(planner, reference, platform, from.location);
  const config = await resolve(planner, image, from.location);
  const state = startStage(
    identity,
    config,
    (config.history ?? []).map((entry) => ({ entry })),
  );
  state.base = { image };
  const step = addStep(
    planner,
    state,
    { type: 'image', reference, image },
    { name: `FROM ${base}`, location: from.location, inputs: [] },
  );
  return { state, triggers: triggersOf(config.config?.OnBuild, from), steps: [step] };
}

/** FROM finds stages by name alone; numbers are for `--from`. */
function findNamedStage(stages: readonly Stage[], name: string, before: number): Stage | undefined {
  return stages.slice(0, before).findLast((stage) => stage.name === name.toLowerCase());
}

function expandFrom(planner: Planner, from: From, word: string): string {
  const env = Object.fromEntries(planner.globalArgs);
  return located(from.location, () => expandWord(word, env, { escape: planner.dockerfile.escape }));
}

function stagePlatform(planner: Planner, from: From): Platform {
  if (from.platform === undefined) return planner.options.targetPlatform;
  const text = expandFrom(planner, from, from.platform);
  try {
    return parsePlatform(text, planner.options.buildPlatform);
  } catch (error) {
    throw locate(error, { location: from.location });
  }
}

function triggersOf(onBuild: readonly string[] | undefined, from: From): readonly Instruction[] {
  return (onBuild ?? []).map((trigger) => parseOnbuildTrigger(trigger, from.location));
}

function addImage(
  planner: Planner,
  reference: string,
  platform: Platform,
  location: SourceLocation,
): number {
  let name: string;
  try {
    name = formatReference(parseReference(reference));
  } catch (error) {
    throw locate(error, { location });
  }
  const known = planner.images.findIndex(
    (image) =>
      image.reference === name && formatPlatform(image.platform) === formatPlatform(platform),
  );
  if (known >= 0) return known;
  return planner.images.push({ reference: name, platform }) - 1;
}

async function resolve(
  planner: Planner,
  image: number,
  location: SourceLocation,
): Promise<ImageConfig> {
  try {
    return await planner.options.resolveImage(planner.images[image]!);
  } catch (error) {
    throw locate(error, { location });
  }
}

/** `--from=NAME`: a named context, an earlier stage by name or number, or an image. */
async function findOrigin(
  planner: Planner,
  stage: Stage,
  name: string,
  location: SourceLocation,
): Promise<Origin> {
  const contextValue = planner.options.buildContexts[name];
  if (contextValue !== undefined && !contextValue.startsWith('docker-image://')) {
    return { source: { type: 'context', name }, inputs: [] };
  }
  if (contextValue === undefined && name.toLowerCase() === 'scratch')
    return { source: { type: 'nothing' }, inputs: [] };
  const earlier =
    contextValue === undefined ? findStage(planner.stages, name, stage.index) : undefined;
  if (earlier !== undefined) {
    const { result } = await stageState(planner, earlier);
    return result === undefined ? { source: { type: 'nothing' }, inputs: [] } : input(result);
  }
  if (contextValue === undefined) refuseLaterStage(planner.stages, stage, name, location);
  const reference =
    contextValue === undefined ? name : contextValue.slice('docker-image://'.length);
  const { targetPlatform } = planner.options;
  const image = addImage(planner, reference, targetPlatform, location);
  await resolve(planner, image, location);
  const id = `image-${image}`;
  if (!planner.steps.has(id)) {
    const step: Step = {
      id,
      op: { type: 'image', reference, image },
      inputs: [],
      name: `FROM ${reference}`,
      display: `FROM ${reference}`,
      stage: stage.name ?? `stage-${stage.index}`,
      location,
      platform: targetPlatform,
      noCache: false,
    };
    planner.steps.set(id, step);
  }
  return input(id);
}

function input(id: StepId): Origin {
  return { source: { type: 'input', input: 0 }, inputs: [id] };
}

/** A stage that comes later, or this very one, would otherwise be taken for an image of that name. */
function refuseLaterStage(
  stages: readonly Stage[],
  stage: Stage,
  name: string,
  location: SourceLocation,
): void {
  const later = stages.slice(stage.index).find((other) => other.name === name.toLowerCase());
  const number = /^\d+$/.test(name) ? stages[Number(name)] : undefined;
  if (later === undefined && number === undefined && !/^\d+$/.test(name)) return;
  const isSelf = (later ?? number) === stage;
  const what = isSelf
    ? 'the stage itself'
    : (later ?? number)
      ? 'a stage that comes later'
      : 'no stage';
  throw new TsbuildError('DOCKERFILE_REFERENCE', `--from=${name} refers to ${what}`, {
    location,
    hint: 'a stage can use only stages above it; move it down, or the other one up',
  });
}

/** A stage made of a named context: all its files. */
function contextCopy(name: string): Op {
  return {
    type: 'copy',
    instruction: 'COPY',
    from: { type: 'context', name },
    sources: ['.'],
    inline: [],
    destination: '/',
    workdir: '/',
    link: true,
    parents: false,
    exclude: [],
  };
}

function addStep(
  planner: Planner,
  state: StageState,
  op: Op,
  { name, location, inputs }: { name: string; location: SourceLocation; inputs: readonly StepId[] },
): StepId {
  const id = `${state.index}.${planner.steps.size}`;
  const { noCache, noCacheFilter } = planner.options;
  const step: Step = {
    id,
    op,
    ...(state.result === undefined ? {} : { parent: state.result }),
    inputs,
    name,
    display: name,
    stage: state.name,
    location,
    platform: state.platform,
    noCache: noCache || noCacheFilter.some((filter) => filter.toLowerCase() === state.name),
  };
  planner.steps.set(id, step);
  state.result = id;
  return id;
}

/** `[build 3/7] RUN make`, once it is known how many there are. */
function numberSteps(planner: Planner, ids: readonly StepId[], label: string): void {
  const { multiPlatform, targetPlatform } = planner.options;
  for (const [at, id] of ids.entries()) {
    const step = planner.steps.get(id)!;
    const platform = multiPlatform ? formatPlatform(targetPlatform) : '';
    const prefix = [platform, label, `${at + 1}/${ids.length}`].filter(Boolean).join(' ');
    planner.steps.set(id, { ...step, display: `[${prefix}] ${step.name}` });
  }
}

function finished(state: StageState): PlannedStage {
  const { name, index, platform, config, author, result, history, base } = state;
  return {
    name,
    index,
    platform,
    ...(result === undefined ? {} : { result }),
    config: {
      architecture: platform.architecture,
      os: platform.os,
      ...(platform.variant ? { variant: platform.variant } : {}),
      ...(author ? { author } : {}),
      config,
    },
    history,
    ...(base ? { base } : {}),
  };
}
