/** Build checks: those of a normal build, told as warnings, and `--call=check`, which builds nothing. */
import { type BaseImages, openBaseImages } from './base-images.ts';
import { type BuildInputs, openBuildInputs } from './build-inputs.ts';
import { parseChecksum } from './context/download.ts';
import { parseGitReference } from './context/location.ts';
import type { Instruction } from './dockerfile/instruction.ts';
import { type LintResult, lint } from './dockerfile/lint/lint.ts';
import { type Outline, outlineOf, type TargetRow, targetsOf } from './dockerfile/outline.ts';
import type { Dockerfile } from './dockerfile/parse.ts';
import { parsePointing } from './dockerfile/parse-pointing.ts';
import { openEnvironment } from './environment.ts';
import { findNamedContext } from './graph/named-context.ts';
import { platformArgs } from './graph/platform-args.ts';
import { exposedPorts } from './graph/ports.ts';
import { checkSignal } from './graph/signals.ts';
import { hostPlatform, type Platform, parsePlatform } from './oci/platform.ts';
import { formatReference, isReference, parseReference } from './oci/reference.ts';
import type { OperationContext } from './operation.ts';
import type { BuildOptions } from './options.ts';
import { parseChmod } from './scheduler/copy-mode.ts';

export interface CheckParts {
  readonly inputs: BuildInputs;
  /** If it has been parsed. */
  readonly dockerfile?: Dockerfile;
  readonly bases: BaseImages;
  readonly platform: Platform;
  /** Of a build: stages that it does not need are not looked at. */
  readonly neededOnly: boolean;
}

/** Checks the Dockerfile of a build. Never throws for what is wrong with it. */
export function runChecks(
  options: BuildOptions,
  { inputs, dockerfile, bases, platform, neededOnly }: CheckParts,
): Promise<LintResult> {
  const { buildArgs = {}, buildContexts = {}, target } = options;
  return lint(dockerfile ?? inputs.dockerfile.bytes, {
    file: inputs.dockerfile.name,
    buildArgs,
    ...(target ? { target } : {}),
    neededOnly,
    platformArgs: platformArgs(platform, hostPlatform(), target || 'default'),
    isIgnored: inputs.isIgnored,
    isImageName: isReference,
    parsePlatform: (text) => parsePlatform(text),
    async resolveImage(written, own) {
      const context = findNamedContext(buildContexts, written);
      // Files, not an image: they bring no configuration.
      if (context?.type === 'files') return {};
      const named = context?.reference ?? written;
      const reference = context?.type === 'layout' ? named : formatReference(parseReference(named));
      const wanted = own === undefined ? platform : parsePlatform(own);
      return (await bases.resolve({ reference, platform: wanted })).config.config ?? {};
    },
    judge: judgeInstruction,
  });
}

/** `--call=check`. */
export async function performCheck(
  options: BuildOptions,
  operation: OperationContext,
): Promise<LintResult> {
  await using environment = openEnvironment(options, operation.emit);
  await using inputs = await openBuildInputs(options, environment, operation);
  const bases = openBaseImages({ environment, pull: options.pull ?? false, ...operation });
  const platform =
    options.platforms?.[0] === undefined ? hostPlatform() : parsePlatform(options.platforms[0]);
  return await runChecks(options, { inputs, bases, platform, neededOnly: false });
}

/** `--call=targets`. */
export async function describeTargets(
  options: BuildOptions,
  operation: OperationContext,
): Promise<readonly TargetRow[]> {
  return targetsOf(await readDockerfile(options, operation));
}

/** `--call=outline`. */
export async function describeTarget(
  options: BuildOptions,
  operation: OperationContext,
): Promise<Outline> {
  const { buildArgs = {}, target } = options;
  const host = hostPlatform();
  return outlineOf(await readDockerfile(options, operation), {
    buildArgs,
    ...(target ? { target } : {}),
    platformArgs: platformArgs(host, host, target || 'default'),
  });
}

async function readDockerfile(
  options: BuildOptions,
  operation: OperationContext,
): Promise<Dockerfile> {
  await using environment = openEnvironment(options, operation.emit);
  await using inputs = await openBuildInputs(options, environment, operation);
  return await parsePointing(inputs.dockerfile.bytes, inputs.dockerfile.name);
}

/** What planning would refuse in an instruction whose words are expanded. */
export function judgeInstruction(instruction: Instruction): void {
  if (instruction.kind === 'stopsignal') checkSignal(instruction.signal);
  if (instruction.kind === 'copy' || instruction.kind === 'add') {
    if (instruction.chmod) parseChmod(instruction.chmod);
  }
  if (instruction.kind === 'add' && instruction.checksum) {
    const isGit = instruction.sources.some((source) => parseGitReference(source) !== undefined);
    if (!isGit) parseChecksum(instruction.checksum);
  }
  if (instruction.kind === 'expose') for (const port of instruction.ports) exposedPorts(port);
}
