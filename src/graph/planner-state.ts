/** What the planning of one Dockerfile gathers: steps, images, and the stages planned so far. */
import type { Dockerfile } from '../dockerfile/parse.ts';
import { hintStage, type Stage } from '../dockerfile/stages.ts';
import { locate, type SourceLocation } from '../errors.ts';
import type { ImageConfig } from '../oci/config.ts';
import { formatPlatform, type Platform } from '../oci/platform.ts';
import { contextName, formatReference, parseReference } from '../oci/reference.ts';
import type { PlanOptions } from './lowering.ts';
import { findNamedContext, type NamedContext, type NamedImage } from './named-context.ts';
import type { StageState } from './stage-state.ts';
import type { Op, PlanImage, Step, StepId } from './step.ts';

export interface Planner {
  readonly dockerfile: Dockerfile;
  readonly options: PlanOptions;
  /** The platform that this pass plans for. */
  readonly targetPlatform: Platform;
  readonly stages: readonly Stage[];
  readonly globalArgs: ReadonlyMap<string, string>;
  readonly steps: Map<StepId, Step>;
  readonly images: PlanImage[];
  /** With several platforms: steps by what they are, to be shared by the platforms that have the same. */
  readonly known: Map<string, StepId>;
  /** Plans a stage, once. `path` holds the stages that wait for it, to find circles. */
  stageState(stage: Stage, path: readonly number[]): Promise<StageState>;
}

/** Ids of several platforms must not meet. */
export function stepId({ options, targetPlatform }: Planner, id: string): StepId {
  return options.targetPlatforms.length > 1 ? `${formatPlatform(targetPlatform)} ${id}` : id;
}

/** Puts a step on top of a stage and returns its id, which is that of another platform's step if that is the very same. */
export function addStep(
  planner: Planner,
  state: StageState,
  op: Op,
  step: { name: string; location: SourceLocation; inputs: readonly StepId[] },
): StepId {
  const isShareable = planner.options.targetPlatforms.length > 1;
  const what = isShareable
    ? JSON.stringify([state.index, op, state.result, step.inputs, formatPlatform(state.platform)])
    : '';
  const known = planner.known.get(what);
  if (known !== undefined) {
    state.result = known;
    return known;
  }
  const id = stepId(planner, `${state.index}.${planner.steps.size}`);
  if (isShareable) planner.known.set(what, id);
  const { noCache, noCacheFilter } = planner.options;
  planner.steps.set(id, {
    id,
    op,
    ...(state.result === undefined ? {} : { parent: state.result }),
    ...step,
    display: step.name,
    stage: state.name,
    platform: state.platform,
    noCache: noCache || noCacheFilter.some((filter) => filter.toLowerCase() === state.name),
  });
  state.result = id;
  return id;
}

/** The number of an image in the plan. @throws TsbuildError `USAGE` if its reference is none */
export function addImage(
  planner: Planner,
  { type, reference }: NamedImage,
  platform: Platform,
  location: SourceLocation,
): number {
  try {
    const name = type === 'layout' ? reference : formatReference(parseReference(reference));
    const wanted = formatPlatform(platform);
    const known = planner.images.findIndex(
      (image) => image.reference === name && formatPlatform(image.platform) === wanted,
    );
    return known >= 0 ? known : planner.images.push({ reference: name, platform }) - 1;
  } catch (error) {
    throw locate(error, { location });
  }
}

export async function imageConfig(
  planner: Planner,
  image: number,
  location: SourceLocation,
): Promise<ImageConfig> {
  const wanted = planner.images[image]!;
  try {
    return await planner.options.resolveImage(wanted);
  } catch (error) {
    throw locate(hintStage(error, contextName(wanted.reference), planner.stages), { location });
  }
}

/** What `--build-context` says that a name stands for. */
export function namedContext(planner: Planner, written: string): NamedContext | undefined {
  return findNamedContext(planner.options.buildContexts, written);
}
