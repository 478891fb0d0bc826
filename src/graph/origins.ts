/** `--from=NAME` of COPY and `from=NAME` of mounts: a named context, a stage, or an image. */
import { findCopyStage, findNamedStage, type Stage } from '../dockerfile/stages.ts';
import { type SourceLocation, TsbuildError } from '../errors.ts';
import type { Origin, OriginKind } from './lowering.ts';
import type { NamedImage } from './named-context.ts';
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
  if (context?.type === 'files')
    return { source: { type: 'context', name: context.name }, inputs: [] };
  if (context !== undefined) return fromImage(planner, stage, context, location);
  const find = by === 'copy' ? findCopyStage : findNamedStage;
  const other = find(planner.stages, name);
  if (other === undefined) {
    if (name === 'scratch') return NOTHING;
    return fromImage(planner, stage, { type: 'image', reference: name }, location);
  }
  if (other.index > stage.index) throw later(other, stage, location);
  const { result } = await planner.stageState(other, path);
  return result === undefined ? NOTHING : input(result);
}

function later(other: Stage, stage: Stage, location: SourceLocation): TsbuildError {
  const name = ({ name: given, index }: Stage) => JSON.stringify(given ?? `stage-${index}`);
  const message = `cannot copy from stage ${name(other)}, it needs to be defined before current stage ${name(stage)}`;
  return new TsbuildError('DOCKERFILE_REFERENCE', message, {
    location,
    hint: 'a stage can use only stages above it: move it down, or the other one up',
  });
}

async function fromImage(
  planner: Planner,
  stage: Stage,
  named: NamedImage,
  location: SourceLocation,
): Promise<Origin> {
  const { reference } = named;
  const platform = planner.targetPlatform;
  const image = addImage(planner, named, platform, location);
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
