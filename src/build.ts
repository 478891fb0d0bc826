/**
 * `build`: wires the parts together. Dockerfile → plan → steps, each from the cache or executed → image → names and outputs.
 * What the parts promise is said where they are; this file only says who gets what.
 */
import { setImmediate } from 'node:timers/promises';
import { openBaseImages } from './base-images.ts';
import { openBuildInputs } from './build-inputs.ts';
import { stepHandlers } from './build-steps.ts';
import { openRecords } from './cache/records.ts';
import { runChecks } from './checks.ts';
import type { LintResult } from './dockerfile/lint/lint.ts';
import { parsePointing } from './dockerfile/parse-pointing.ts';
import { type Environment, openEnvironment } from './environment.ts';
import { TsbuildError } from './errors.ts';
import { monotonicNow, startSpan } from './events.ts';
import { planBuild } from './graph/planner.ts';
import type { Plan, PlannedStage } from './graph/step.ts';
import { type AssembledImage, assembleImage } from './image/assemble.ts';
import { assembleIndex } from './image/assemble-index.ts';
import type { Image } from './image/image.ts';
import { layerAt } from './layer/adopt.ts';
import { indexReader } from './layer/index-file.ts';
import { stackTree } from './layer/stack.ts';
import type { Descriptor } from './oci/descriptor.ts';
import type { DiffID } from './oci/digest.ts';
import { formatPlatform, hostPlatform, type Platform, parsePlatform } from './oci/platform.ts';
import { formatReference, parseReference } from './oci/reference.ts';
import type { OperationContext } from './operation.ts';
import type { BuildOptions, BuildResult } from './options.ts';
import { finishImage, rfc3339 } from './scheduler/finish.ts';
import { type ScheduleResult, schedule } from './scheduler/schedule.ts';
import { openSshAgents, type SshAgents } from './ssh-agents.ts';
import { useStore } from './store/lease.ts';

/** Carries out `build` of index.ts. */
export async function performBuild(
  options: BuildOptions,
  operation: OperationContext,
): Promise<BuildResult> {
  const started = monotonicNow();
  const names = (options.tags ?? []).map((tag) => formatReference(parseReference(tag)));
  await using environment = openEnvironment(options, operation.emit);
  const { emit, signal } = operation;
  // Taken while the build is being planned, and held before anything in the store is relied upon.
  const lease = useStore(environment.store, signal);
  // Told where it is awaited; until then a failure must not take the process down.
  lease.catch(() => {});
  await using _released = {
    [Symbol.asyncDispose]: async () =>
      (await lease.catch(() => undefined))?.[Symbol.asyncDispose](),
  };
  await using inputs = await openBuildInputs(options, environment, operation);
  await using ssh = openSshAgents(options.ssh ?? {}, environment);
  const endParse = startSpan(emit, 'parse');
  const dockerfile = await parsePointing(inputs.dockerfile.bytes, inputs.dockerfile.name);
  endParse();
  const sourceDateEpoch = epochOf(options);
  const bases = openBaseImages({ environment, pull: options.pull ?? false, emit, signal });
  const plan = await planBuild(dockerfile, {
    buildArgs: options.buildArgs ?? {},
    ...(options.target ? { target: options.target } : {}),
    labels: options.labels ?? {},
    targetPlatforms: targetPlatforms(options),
    buildPlatform: hostPlatform(),
    noCache: options.noCache ?? false,
    noCacheFilter: options.noCacheFilter ?? [],
    buildContexts: options.buildContexts ?? {},
    allow: options.allow ?? [],
    resolveImage: async (image) => (await bases.resolve(image)).config,
  });
  const platform = targetPlatforms(options)[0]!;
  if (options.noCache) void warmExecutor(plan, environment);
  const checks = runChecks(options, { inputs, dockerfile, bases, platform, neededOnly: true });
  await tellWarnings(operation, checks);
  await lease;
  const images = await Promise.all(plan.images.map((image) => bases.resolve(image)));
  const scheduled = await runPlan(plan, images, {
    options,
    environment,
    operation,
    inputs,
    ssh,
    sourceDateEpoch,
  });
  // Nothing more is to be run: its process may end while the image is put together and goes out.
  if (scheduled.executed > 0) (await environment.executor()).rest();
  inputs.save();
  const assembled = assembleAll(environment, plan, images, scheduled, sourceDateEpoch);
  const { annotateImage, writeOutputs } = await import('./outputs.ts');
  const image = await annotateImage(
    { image: assembled.descriptor, environment, operation },
    options.annotations ?? [],
  );
  await nameImage(environment, names, image);
  const outputs = await writeOutputs({
    outputs: options.outputs ?? [],
    names,
    image,
    environment,
    operation,
    sourceDateEpoch,
  });
  const seconds = (monotonicNow() - started) / 1000;
  emit({ type: 'result', digest: image.digest, names, seconds });
  return {
    digest: image.digest,
    imageId: plan.targets.length > 1 ? image.digest : assembled.imageID,
    descriptor: image,
    names,
    seconds,
    steps: { total: scheduled.total, cached: scheduled.cached },
    pushed: Object.assign({}, ...outputs.map(({ pushed }) => pushed)),
    outputs,
  };
}

/** Warnings of the build checks. @throws TsbuildError `CHECK_FAILED` where the Dockerfile asks for that */
async function tellWarnings(
  { emit }: OperationContext,
  checks: Promise<LintResult>,
): Promise<void> {
  const { warnings, error } = await checks;
  for (const { ruleName: rule, detail: message, url, location } of warnings) {
    emit({ type: 'warning', rule, message, url, location });
  }
  if (error !== undefined) throw error;
}

/** Writes only what is new: a build in which nothing changed leaves index.json alone. */
async function nameImage(
  { store }: Environment,
  names: readonly string[],
  descriptor: Descriptor,
): Promise<void> {
  for (const name of names) {
    if (store.resolveTag(name)?.digest !== descriptor.digest) await store.tag(name, descriptor);
  }
  const isKept =
    names.length > 0 ||
    store.images().some((image) => image.descriptor.digest === descriptor.digest);
  if (!isKept) await store.keep(descriptor);
}

interface BuildParts {
  readonly options: BuildOptions;
  readonly environment: Environment;
  readonly operation: OperationContext;
  readonly inputs: Awaited<ReturnType<typeof openBuildInputs>>;
  readonly ssh: SshAgents;
  readonly sourceDateEpoch: number | undefined;
}

function runPlan(plan: Plan, images: readonly Image[], parts: BuildParts): Promise<ScheduleResult> {
  const { options, environment, operation, sourceDateEpoch } = parts;
  const { store } = environment;
  // Every step has a tree of all the layers before it.
  const read = indexReader();
  return schedule(
    plan,
    plan.targets.flatMap((target) => target.result ?? []),
    {
      handlers: stepHandlers(plan, parts),
      image: async (op) => images[op.image]!.layers,
      records: openRecords(store),
      layerAt: (diffID) => layerAt(store, diffID),
      treeOf: (layers) => stackTree(layers, read),
      emit: operation.emit,
      signal: operation.signal,
      onMiss: () => warmExecutor(plan, environment),
      // Steps wait for disks and networks as much as they compute.
      parallelism: options.parallelism ?? Math.max(4, environment.cores * 2),
      now: () =>
        sourceDateEpoch === undefined ? new Date().toISOString() : rfc3339(sourceDateEpoch),
    },
  );
}

/** What executes RUNs starts while their inputs are prepared: when this settles, its processes are on their way. */
async function warmExecutor(plan: Plan, environment: Environment): Promise<void> {
  const hasRun = [...plan.steps.values()].some((step) => step.op.type === 'run');
  if (!hasRun) return;
  (await environment.executor()).warm();
  await setImmediate();
}

/** One image, or an index of one for each platform. */
function assembleAll(
  environment: Environment,
  plan: Plan,
  images: readonly Image[],
  scheduled: ScheduleResult,
  sourceDateEpoch: number | undefined,
): AssembledImage {
  const made = plan.targets.map((target) =>
    assemble(environment, target, images, scheduled, sourceDateEpoch),
  );
  if (made.length === 1) return made[0]!;
  const manifests = made.map(({ descriptor }, at) => ({
    descriptor,
    platform: plan.targets[at]!.platform,
  }));
  return { descriptor: assembleIndex(environment.store, manifests), imageID: made[0]!.imageID };
}

function assemble(
  { store }: Environment,
  target: PlannedStage,
  images: readonly Image[],
  scheduled: ScheduleResult,
  sourceDateEpoch: number | undefined,
): AssembledImage {
  const base = target.base === undefined ? undefined : images[target.base.image];
  const config = finishImage(target, scheduled.results, {
    ...(sourceDateEpoch === undefined ? {} : { sourceDateEpoch }),
    ...(base?.config.created === undefined ? {} : { baseCreated: base.config.created }),
  });
  const pulled = new Map<DiffID, Descriptor>(
    images.flatMap((image) =>
      image.layers.map((layer, at) => [layer.diffID, image.manifest.layers[at]!] as const),
    ),
  );
  const layers = target.result === undefined ? [] : scheduled.results.get(target.result)!.layers;
  return assembleImage(store, {
    config,
    layers: layers.map((layer) => ({ layer, descriptor: pulled.get(layer.diffID) })),
  });
}

/** As an option, or as the build argument that the whole field uses: https://reproducible-builds.org/specs/source-date-epoch/ */
function epochOf(options: BuildOptions): number | undefined {
  if (options.sourceDateEpoch !== undefined) return options.sourceDateEpoch;
  const text = options.buildArgs?.SOURCE_DATE_EPOCH;
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) {
    throw new TsbuildError(
      'USAGE',
      `SOURCE_DATE_EPOCH is not a number of seconds: ${JSON.stringify(text)}`,
    );
  }
  return Number(text);
}

function targetPlatforms({ platforms = [] }: BuildOptions): readonly Platform[] {
  const wanted = platforms.flatMap((list) => list.split(',')).map((text) => parsePlatform(text));
  const distinct = new Map(wanted.map((platform) => [formatPlatform(platform), platform]));
  return distinct.size === 0 ? [hostPlatform()] : [...distinct.values()];
}
