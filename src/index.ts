/**
 * The public API. Everything else is reached through it; each function loads what it needs when it is called. Nothing is
 * printed and nothing is global: an operation's events tell what happens, and its errors are typed.
 *
 * @example
 * import { build } from 'tsbuild';
 * const image = build({ context: '.', tags: ['app'] });
 * for await (const event of image) if (event.type === 'step.log') process.stderr.write(event.text);
 * console.log((await image).digest);
 */
import type { LintResult } from './dockerfile/lint/lint.ts';
import type { Outline, TargetRow } from './dockerfile/outline.ts';
import { startOperation } from './operation.ts';
import type {
  BuildOptions,
  BuildResult,
  CopyOptions,
  CopyResult,
  CreateIndexOptions,
  CreateIndexResult,
  InspectManifestOptions,
  ManifestDetails,
  Operation,
  PullOptions,
  PullResult,
  PushOptions,
  PushResult,
  RunOperation,
  RunOptions,
} from './options.ts';
import type { RunControl } from './run.ts';

export type { LintResult } from './dockerfile/lint/lint.ts';
export type { Outline, OutlineRow, TargetRow } from './dockerfile/outline.ts';
export { expandWord, expandWordDetails, splitWords } from './dockerfile/words.ts';
export {
  ERROR_CODES,
  type ErrorCode,
  exitStatus,
  isTsbuildError,
  RunError,
  type SourceLocation,
  TsbuildError,
} from './errors.ts';
export type * from './events.ts';
export * from './images.ts';
export * from './login.ts';
export type * from './options.ts';
export * from './prune.ts';

/** Builds an image. @throws TsbuildError */
export function build(options: BuildOptions): Operation<BuildResult> {
  return startOperation(async (operation) => {
    const { performBuild } = await import('./build.ts');
    return performBuild(options, operation);
  }, options.signal);
}

/** Checks a Dockerfile and builds nothing. What is wrong with it is part of the result. @throws TsbuildError if it cannot be read */
export function check(options: BuildOptions): Operation<LintResult> {
  return startOperation(async (operation) => {
    const { performCheck } = await import('./checks.ts');
    return performCheck(options, operation);
  }, options.signal);
}

/** The stages of a Dockerfile that can be built. @throws TsbuildError */
export function targets(options: BuildOptions): Operation<readonly TargetRow[]> {
  return startOperation(async (operation) => {
    const { describeTargets } = await import('./checks.ts');
    return describeTargets(options, operation);
  }, options.signal);
}

/** What a stage takes from who builds it: arguments, secrets, ssh agents. @throws TsbuildError */
export function outline(options: BuildOptions): Operation<Outline> {
  return startOperation(async (operation) => {
    const { describeTarget } = await import('./checks.ts');
    return describeTarget(options, operation);
  }, options.signal);
}

/** Brings an image from its registry into the store. @throws TsbuildError */
export function pull(options: PullOptions): Operation<PullResult> {
  return startOperation(async (operation) => {
    const { performPull } = await import('./ship.ts');
    return performPull(options, operation);
  }, options.signal);
}

/** Sends an image of the store to a registry. @throws TsbuildError */
export function push(options: PushOptions): Operation<PushResult> {
  return startOperation(async (operation) => {
    const { performPush } = await import('./ship.ts');
    return performPush(options, operation);
  }, options.signal);
}

/** Copies an image, with all its platforms, between registries, layouts and archives. @throws TsbuildError */
export function copy(options: CopyOptions): Operation<CopyResult> {
  return startOperation(async (operation) => {
    const { performCopy } = await import('./copy.ts');
    return performCopy(options, operation);
  }, options.signal);
}

/** A manifest or index of a registry. @throws TsbuildError */
export function inspectManifest(options: InspectManifestOptions): Operation<ManifestDetails> {
  return startOperation(async (operation) => {
    const { readRemoteManifest } = await import('./manifests.ts');
    return readRemoteManifest(options, operation);
  }, options.signal);
}

/** Makes an index of images in registries. @throws TsbuildError */
export function createIndex(options: CreateIndexOptions): Operation<CreateIndexResult> {
  return startOperation(async (operation) => {
    const { performCreateIndex } = await import('./manifests.ts');
    return performCreateIndex(options, operation);
  }, options.signal);
}

/** Runs a container in the foreground, to its end. @throws TsbuildError */
export function run(options: RunOptions): RunOperation {
  const control: RunControl = {};
  const operation = startOperation(async (context) => {
    const { performRun } = await import('./run.ts');
    return performRun(options, context, control);
  }, options.signal);
  return Object.assign(operation, { kill: (signal: NodeJS.Signals) => control.kill?.(signal) });
}
