/**
 * From a parsed Dockerfile to a plan: the steps that the target needs, and the configuration it ends with.
 *
 * Stages are planned on demand, from the target backwards, so a stage that nothing needs is not even looked at: its
 * images are not asked for, its variables not expanded. A stage's configuration is known in full once its base's is, which
 * is why images are resolved here and files are not.
 */
import type { Dockerfile } from '../dockerfile/parse.ts';
import {
  checkStageReferences,
  findTarget,
  type Stage,
  splitStages,
  targetStageName,
} from '../dockerfile/stages.ts';
import { locate, TsbuildError } from '../errors.ts';
import { formatPlatform, type Platform } from '../oci/platform.ts';
import { globalArguments } from './global-args.ts';
import { lower } from './lower.ts';
import type { Lowering, PlanOptions } from './lowering.ts';
import { findOrigin } from './origins.ts';
import { addStep, type Planner } from './planner-state.ts';
import { proxyEnv } from './platform-args.ts';
import { reachableStages } from './reachable.ts';
import { baseImage, checkBases, startFrom } from './stage-base.ts';
import type { StageState } from './stage-state.ts';
import type { Plan, PlannedStage, StepId } from './step.ts';

/**
 * Plans the target for each platform. Steps of stages that do not depend on it, such as those on `$BUILDPLATFORM`, are in the
 * plan once, and shared.
 * @throws TsbuildError `DOCKERFILE_PARSE`, `DOCKERFILE_REFERENCE`, and what `resolveImage` throws
 */
export async function planBuild(dockerfile: Dockerfile, options: PlanOptions): Promise<Plan> {
  const { stages, globalArgs } = splitStages(dockerfile);
  checkStageReferences(stages);
  const target = findTarget(stages, options.target);
  const shared = { dockerfile, options, stages, steps: new Map(), images: [], known: new Map() };
  const targetStage = targetStageName(target, options.target);
  const targets: PlannedStage[] = [];
  for (const targetPlatform of options.targetPlatforms) {
    const values = globalArguments(dockerfile, globalArgs, options, {
      targetPlatform,
      targetStage,
    });
    targets.push(await planTarget(target, { ...shared, targetPlatform, globalArgs: values }));
  }
  return { steps: shared.steps, images: shared.images, targets };
}

async function planTarget(
  target: Stage,
  shared: Omit<Planner, 'stageState'>,
): Promise<PlannedStage> {
  const planned = new Map<number, Promise<StageState>>();
  const planner: Planner = {
    ...shared,
    stageState(stage, path) {
      // Triggers of base images can close circles that the file itself does not show.
      if (path.includes(stage.index)) throw circle(stage);
      let pending = planned.get(stage.index);
      if (pending === undefined) {
        pending = planStage(planner, stage, [...path, stage.index]);
        planned.set(stage.index, pending);
      }
      return pending;
    },
  };
  checkBases(planner);
  prefetchImages(planner, target);
  const state = await planner.stageState(target, []);
  const { labels } = shared.options;
  if (Object.keys(labels).length > 0) state.config.Labels = { ...state.config.Labels, ...labels };
  return finished(state);
}

/** Asks for all base images at once; planning, which goes stage by stage, then finds the answers, and reports failures. */
function prefetchImages(planner: Planner, target: Stage): void {
  const { stages, globalArgs, dockerfile, options } = planner;
  for (const stage of reachableStages(stages, target, globalArgs, dockerfile.escape)) {
    const image = baseImage(planner, stage);
    if (image !== undefined) options.resolveImage(image).catch(() => {});
  }
}

async function planStage(
  planner: Planner,
  stage: Stage,
  path: readonly number[],
): Promise<StageState> {
  const { state, triggers, steps: first } = await startFrom(planner, stage, path);
  const steps = [...first];
  const lowering: Lowering = {
    state,
    escape: planner.dockerfile.escape,
    notUtf8: planner.dockerfile.notUtf8,
    options: planner.options,
    globalArgs: planner.globalArgs,
    proxyEnv: proxyEnv(planner.options.buildArgs),
    addStep(op, step) {
      steps.push(addStep(planner, state, op, step));
    },
    origin: (name, by, location) => findOrigin(planner, stage, { name, by, location, path }),
  };
  for (const instruction of [...triggers, ...stage.instructions]) {
    try {
      await lower(lowering, instruction);
    } catch (error) {
      throw locate(error, { location: instruction.location });
    }
  }
  numberSteps(planner, steps, planner.stages.length > 1 ? state.name : (stage.name ?? ''));
  return state;
}

/** `[build 3/7] RUN make`, once it is known how many there are. */
function numberSteps(planner: Planner, ids: readonly StepId[], label: string): void {
  for (const [at, id] of ids.entries()) {
    const step = planner.steps.get(id)!;
    // Shared with a platform that was planned before.
    if (step.display !== step.name) continue;
    const prefix = [platformLabel(planner, step.platform), label, `${at + 1}/${ids.length}`]
      .filter(Boolean)
      .join(' ');
    planner.steps.set(id, { ...step, display: `[${prefix}] ${step.name}` });
  }
}

/** `linux/amd64->linux/arm64` where what is built on one platform is built for another. */
function platformLabel({ options, targetPlatform }: Planner, platform: Platform): string {
  if (options.targetPlatforms.length === 1) return '';
  const [own, target] = [platform, targetPlatform].map(formatPlatform);
  return own === target ? target! : `${own}->${target}`;
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

function circle(stage: Stage): TsbuildError {
  const name = stage.name ?? `stage-${stage.index}`;
  return new TsbuildError(
    'DOCKERFILE_REFERENCE',
    `circular dependency detected on stage: ${name}`,
    {
      location: stage.from.location,
      hint: 'a stage cannot take files from a stage that is built on it',
    },
  );
}
