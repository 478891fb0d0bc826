import { writeFileSync } from 'node:fs';
import { TsbuildError } from '../../errors.ts';
import { build as buildImage } from '../../index.ts';
import type { Descriptor } from '../../oci/descriptor.ts';
import type { BuildResult } from '../../options.ts';
import { createTrace } from '../../progress/trace.ts';
import { BUILD_FLAGS, type BuildFlags, buildOptions } from '../build-options.ts';
import { defineCommand } from '../command.ts';
import { usage } from '../flags.ts';
import { follow } from '../follow.ts';

export const build = defineCommand({
  name: 'build',
  synopsis: '[flags] CONTEXT',
  about:
    "Builds an image from a Dockerfile. CONTEXT is a directory, '-' for an archive or a Dockerfile on stdin, or the URL of an archive, a Dockerfile or a git repository.",
  flags: BUILD_FLAGS,
  notes:
    'The word build may be left out. The result is always recorded in the store, under its tags; -o and --push send it elsewhere as well.',
  examples: [
    { command: 'tsbuild -t app .', does: 'Build ./Dockerfile and name the image app:latest' },
    {
      command: 'tsbuild build -t localhost:5000/app:1 --push .',
      does: 'Build and push',
    },
    {
      command: 'tsbuild build -f docker/Dockerfile --target test --build-arg VERSION=3 .',
      does: 'Another Dockerfile, one of its stages, and a value for an ARG',
    },
    {
      command: 'tsbuild build -o type=oci,dest=app.tar .',
      does: 'Write an OCI archive',
    },
    { command: 'tsbuild build -o out .', does: 'Write the files of the final stage into ./out' },
    {
      command: 'tsbuild build --secret id=npm,src=$HOME/.npmrc .',
      does: 'Give a RUN step a secret',
    },
    { command: 'tsbuild build --check .', does: 'Check the Dockerfile, build nothing' },
  ],
  args: { min: 1, max: 1 },
  async run({ flags, args }, context) {
    const options = buildOptions(flags, args[0]!, context);
    const fromStdin = [options.context, options.dockerfile].filter((path) => path === '-').length;
    if (fromStdin > 1) throw usage('context and Dockerfile cannot both come from stdin');
    const asked = {
      ...options,
      ...(fromStdin === 1 ? { stdin: context.stdin } : {}),
      signal: context.signal,
    };
    for (const name of ['provenance', 'sbom'] as const)
      if (!['false', undefined].includes(flags[name]))
        context.stderr.write(`warning: --${name}: no attestations are made\n`);
    const call = flags.check ? 'check' : flags.call;
    if (call !== undefined) {
      const { describe } = await import('../describe.ts');
      return describe(call, asked, context);
    }
    const operation = buildImage(asked);
    const trace = flags.trace === undefined ? undefined : createTrace();
    if (trace !== undefined) operation.onEvent(trace.sink);
    try {
      const result = await follow(operation, context, flags);
      writeResults(flags, result);
      if (flags.quiet) context.stdout.write(`${result.imageId}\n`);
    } finally {
      if (trace !== undefined) writeResult(flags.trace!, trace.text());
    }
    return 0;
  },
});

function writeResults(flags: BuildFlags, result: BuildResult): void {
  const { imageId, descriptor } = lastImage(result);
  if (flags.iidfile !== undefined) writeResult(flags.iidfile, imageId ?? descriptor.digest);
  if (flags['metadata-file'] !== undefined) {
    writeResult(flags['metadata-file'], `${JSON.stringify(metadata(result), null, 2)}\n`);
  }
}

/**
 * The members that `docker buildx build --metadata-file` writes. As there, they speak of what the last output wrote or
 * pushed: its layers may be compressed, so its manifest is another one than the store's.
 */
function metadata(result: BuildResult): Record<string, unknown> {
  const { descriptor, imageId, names } = lastImage(result);
  return {
    ...(imageId === undefined ? {} : { 'containerimage.config.digest': imageId }),
    'containerimage.descriptor': descriptor,
    'containerimage.digest': descriptor.digest,
    ...(names.length > 0 ? { 'image.name': names.join(',') } : {}),
  };
}

interface WrittenImage {
  readonly descriptor: Descriptor;
  /** None of several platforms. */
  readonly imageId: string | undefined;
  readonly names: readonly string[];
}

function lastImage({ outputs, ...result }: BuildResult): WrittenImage {
  for (const { descriptor, imageId, names = result.names } of outputs.toReversed())
    if (descriptor !== undefined) return { descriptor, imageId, names };
  const { descriptor, names, digest } = result;
  return { descriptor, names, imageId: result.imageId === digest ? undefined : result.imageId };
}

function writeResult(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (cause) {
    throw new TsbuildError('OUTPUT', `write ${file}`, { cause });
  }
}
