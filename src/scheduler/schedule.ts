/**
 * Runs a plan: each step that the target needs, once, as soon as what it builds upon is there, at most so many at a time.
 * For each one: make its key, ask the cache, execute it only on a miss, record what came out.
 *
 * The first failure aborts the rest and is the one that is thrown.
 */
import { setMaxListeners } from 'node:events';
import pLimit, { type LimitFunction } from 'p-limit';
import { cacheKey, compareRecipes, type Recipe } from '../cache/recipe.ts';
import { type CacheRecord, type CacheRecords, RECORD_VERSION } from '../cache/records.ts';
import { locate } from '../errors.ts';
import { type EventSink, monotonicNow, type StepInfo, startSpan } from '../events.ts';
import type { ImageOp, Op, Plan, Step, StepId } from '../graph/step.ts';
import type { Layer } from '../layer/layer.ts';
import type { CacheKey, DiffID } from '../oci/digest.ts';
import { extendChain } from '../oci/identity.ts';
import { EMPTY_TREE, type FileTree } from '../tree/file-tree.ts';
import type { OpHandler, OpHandlers, StepContext, StepResult } from './handler.ts';

export interface ScheduleOptions {
  readonly handlers: OpHandlers;
  /** Layers of an image of the plan; fetches what is missing. */
  readonly image: (op: ImageOp, step: Step) => Promise<readonly Layer[]>;
  readonly records: CacheRecords;
  /** A layer that the store still has. */
  readonly layerAt: (diffID: DiffID) => Layer | undefined;
  readonly treeOf: (layers: readonly Layer[]) => FileTree;
  readonly emit: EventSink;
  readonly signal: AbortSignal;
  readonly parallelism: number;
  /** Told at the first step that no record answers, and waited for: what executes steps may start while that one is prepared. */
  readonly onMiss?: () => Promise<void>;
  /** RFC 3339 stamp of what is made now: the clock, or SOURCE_DATE_EPOCH. */
  readonly now: () => string;
}

export interface ScheduleResult {
  readonly results: ReadonlyMap<StepId, StepResult>;
  readonly total: number;
  readonly cached: number;
  /** Images, which are neither cached nor made, are not among them. */
  readonly executed: number;
}

interface Run extends ScheduleOptions {
  readonly plan: Plan;
  readonly limit: LimitFunction;
  readonly abort: AbortController;
  readonly pending: Map<StepId, Promise<StepResult>>;
  /** Steps with equal keys (of several platforms, say) share one execution. */
  readonly executing: Map<CacheKey, Promise<CacheRecord>>;
  readonly results: Map<StepId, StepResult>;
  cached: number;
}

const NOTHING: StepResult = { layers: [], chain: undefined, tree: EMPTY_TREE };

/** Brings `targets` about. @throws what the first failing step threw, with its location and name. */
export async function schedule(
  plan: Plan,
  targets: readonly StepId[],
  options: ScheduleOptions,
): Promise<ScheduleResult> {
  const abort = new AbortController();
  const run: Run = {
    ...options,
    plan,
    abort,
    signal: AbortSignal.any([options.signal, abort.signal]),
    limit: pLimit(options.parallelism),
    pending: new Map(),
    executing: new Map(),
    results: new Map(),
    cached: 0,
  };
  setMaxListeners(0, run.signal);
  options.emit({ type: 'plan', steps: [...plan.steps.values()].map(stepInfo) });
  const settled = await Promise.allSettled(targets.map((id) => resultOf(run, id)));
  // Let every step end before reporting, so that nothing works on behind the caller's back.
  await Promise.allSettled(run.pending.values());
  const failure = settled.find((outcome) => outcome.status === 'rejected');
  if (failure !== undefined) throw abort.signal.aborted ? abort.signal.reason : failure.reason;
  return {
    results: run.results,
    total: run.pending.size,
    cached: run.cached,
    executed: run.executing.size,
  };
}

function resultOf(run: Run, id: StepId): Promise<StepResult> {
  let pending = run.pending.get(id);
  if (pending === undefined) {
    pending = runStep(run, id);
    run.pending.set(id, pending);
  }
  return pending;
}

async function runStep(run: Run, id: StepId): Promise<StepResult> {
  const step = run.plan.steps.get(id);
  if (step === undefined) throw new Error(`no step ${id} in the plan`);
  const [parent, ...inputs] = await Promise.all([
    step.parent === undefined ? NOTHING : resultOf(run, step.parent),
    ...step.inputs.map((input) => resultOf(run, input)),
  ]);
  run.signal.throwIfAborted();
  run.emit({ type: 'step.start', step: id });
  const started = monotonicNow();
  const end = (
    outcome: 'done' | 'cached' | 'failed' | 'canceled',
    rest: { bytes?: number; message?: string; missed?: string } = {},
  ) =>
    run.emit({
      type: 'step.end',
      step: id,
      outcome,
      seconds: (monotonicNow() - started) / 1000,
      ...rest,
    });
  try {
    const { result, cached, missed } = await perform(run, step, parent!, inputs);
    if (cached) run.cached += 1;
    run.results.set(id, result);
    end(cached ? 'cached' : 'done', {
      ...(result.own ? { bytes: result.own.size } : {}),
      ...(missed ? { missed } : {}),
    });
    return result;
  } catch (error) {
    locate(error, { ...(step.location ? { location: step.location } : {}), step: step.display });
    const message = error instanceof Error ? error.message : String(error);
    end(run.signal.aborted ? 'canceled' : 'failed', { message });
    run.abort.abort(error);
    throw error;
  }
}

async function perform(run: Run, step: Step, parent: StepResult, inputs: readonly StepResult[]) {
  if (step.op.type === 'image') {
    const layers = await run.image(step.op, step);
    return { result: stack(run, layers), cached: false };
  }
  const handler = run.handlers[step.op.type] as OpHandler<typeof step.op>;
  const context: StepContext<typeof step.op> = {
    step: step as Step<typeof step.op>,
    parent,
    inputs,
    signal: run.signal,
    log: stepLog(run, step.id),
    span: (span) => run.emit({ type: 'span', ...span, step: step.id }),
    progress: (item, current, total, unit) =>
      run.emit({
        type: 'step.progress',
        step: step.id,
        item,
        current,
        unit,
        ...(total === undefined ? {} : { total }),
      }),
  };
  const endKey = startSpan(run.emit, 'key', step.id);
  const { recipe, execute } = await handler(context);
  endKey();
  const known = recipe && !step.noCache ? run.records.get(cacheKey(recipe)) : undefined;
  const hit = known && fromRecord(run, parent, known);
  if (hit) return { result: hit, cached: true };
  const missed = recipe && whyMissed(run, step, recipe);
  if (run.executing.size === 0) await run.onMiss?.();
  const before = () => recipe && layerBefore(run, step, recipe);
  const record = await executeOnce(run, step, recipe, () => execute(before));
  const made = fromRecord(run, parent, record);
  if (made === undefined)
    throw new Error(`layer ${record.layer} of ${step.display} is not in the store`);
  return { result: made, cached: false, missed };
}

/** What differs from the step of the same name that was executed last; `undefined` for a step that never was. */
function whyMissed(run: Run, step: Step, recipe: Recipe): string | undefined {
  if (step.noCache) return undefined;
  const before = run.records.latest(step.name);
  if (before === undefined) return undefined;
  const fields = compareRecipes(before.recipe, recipe).map(({ field }) => field);
  return fields.length === 0
    ? 'its layer is no longer in the store'
    : `${fields.join(', ')} changed`;
}

/** What the very step made, or the one of its name that was executed last, if its recipe is of the same kind. */
function layerBefore(run: Run, step: Step, recipe: Recipe): Layer | undefined {
  const record = run.records.get(cacheKey(recipe)) ?? run.records.latest(step.name);
  return record?.recipe[0][1] === recipe[0][1] ? recordedLayer(run, record) : undefined;
}

function executeOnce(
  run: Run,
  step: Step,
  recipe: Recipe | undefined,
  execute: () => Promise<Layer | undefined>,
): Promise<CacheRecord> {
  const key = cacheKey(
    recipe ?? [
      ['recipe', 'none'],
      ['step', step.id],
    ],
  );
  let executing = run.executing.get(key);
  if (executing === undefined) {
    executing = run.limit(async () => {
      run.signal.throwIfAborted();
      const started = monotonicNow();
      const layer = await execute();
      const record: CacheRecord = {
        version: RECORD_VERSION,
        key,
        name: step.name,
        recipe: recipe ?? [['recipe', 'none']],
        layer: layer?.diffID ?? null,
        ...(layer === undefined ? {} : { size: layer.size }),
        created: run.now(),
        seconds: Math.round(monotonicNow() - started) / 1000,
      };
      if (recipe !== undefined) run.records.put(record);
      return record;
    });
    run.executing.set(key, executing);
  }
  return executing;
}

/** What a record stands for on top of `parent`; `undefined` if the store no longer has its layer. */
function fromRecord(run: Run, parent: StepResult, record: CacheRecord): StepResult | undefined {
  if (record.layer === null)
    return { ...parent, own: undefined, created: record.created } as StepResult;
  const layer = recordedLayer(run, record);
  if (layer === undefined) return undefined;
  const layers = [...parent.layers, layer];
  return {
    layers,
    chain: extendChain(parent.chain, layer.diffID),
    own: layer,
    created: record.created,
    tree: run.treeOf(layers),
  };
}

function recordedLayer(run: Run, { layer, size }: CacheRecord): Layer | undefined {
  const found = layer === null ? undefined : run.layerAt(layer);
  // A machine that lost power may have left a part of it.
  return size === undefined || found?.size === size ? found : undefined;
}

function stack(run: Run, layers: readonly Layer[]): StepResult {
  let chain: StepResult['chain'];
  for (const layer of layers) chain = extendChain(chain, layer.diffID);
  return { layers, chain, tree: run.treeOf(layers) };
}

/** Output as text. A character may be split over two pieces, so each stream has a decoder that keeps what is open. */
function stepLog(run: Run, step: StepId): StepContext<Op>['log'] {
  const decoders = new Map<string, InstanceType<typeof TextDecoder>>();
  return (stream, bytes) => {
    const decoder = decoders.get(stream) ?? new TextDecoder();
    decoders.set(stream, decoder);
    const text = decoder.decode(bytes, { stream: true });
    if (text !== '') run.emit({ type: 'step.log', step, stream, text });
  };
}

function stepInfo(step: Step): StepInfo {
  return {
    id: step.id,
    kind: step.op.type === 'workdir' ? 'copy' : step.op.type,
    name: step.display,
    stage: step.stage,
    ...(step.location ? { location: step.location } : {}),
  };
}
