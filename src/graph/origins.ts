/** `--from=NAME` of COPY and `from=NAME` of mounts: a named context, a stage, or an image. */
import { findCopyStage, findNamedStage, type Stage } from '../dockerfile/stages.ts';
import type { SourceLocation } from '../errors.ts';
import type { Origin, OriginKind } from './lowering.ts';
import { addImage, imageConfig, namedContext, type Planner, stepId } from './planner-state.ts';
import type { StepId } from './step.ts';

export interface OriginRequest {
  readonly name: string;
  /** COPY finds stages by number too; mounts do not. */
  readonly by: OriginKind;
  readonly location: SourceLocation;
  readonly path: readonly number[];
}

const NOTHING: Origin = { source: { type: 'nothing' }, inputs: [] };

/** @throws TsbuildError `DOCKERFILE_REFERENCE` for a number without a stage, and what resolving an image throws */
export async function findOrigin(
  planner: Planner,
  stage: Stage,
  request: OriginRequest,
): Promise<Origin> {
  const { name, by, location, path } = request;
  const context = namedContext(planner, name);
  if (context?.type === 'files') return { source: { type: 'context', name }, inputs: [] };
  if (context?.type === 'image') return fromImage(planner, stage, context.reference, location);
  if (name === 'scratch') return NOTHING;
  const find = by === 'copy' ? findCopyStage : findNamedStage;
  const other = find(planner.stages, name);
  if (other === undefined) return fromImage(planner, stage, name, location);
  const { result } = await planner.stageState(other, path);
  return result === undefined ? NOTHING : input(result);
}

async function fromImage(
  planner: Planner,
  stage: Stage,
  reference: string,
  location: SourceLocation,
): Promise<Origin> {
  const platform = planner.targetPlatform;
  const image = addImage(planner, reference, platform, location);
  await imageConfig(planner, image, location);
  const id = stepId(planner, `image-${image}`);
  const name = `FROM ${reference}`;
  planner.steps.set(id, {
    id,
    op: { type: 'image', reference, image },
    inputs: [],
    name,
    display: name,
    stage: stage.name ?? `stage-${stage.index}`,
    location,
    platform,
    noCache: false,
  });
  return input(id);
}

function input(id: StepId): Origin {
  return { source: { type: 'input', input: 0 }, inputs: [id] };
}
