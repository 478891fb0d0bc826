import { inspectManifest } from '../../index.ts';
import { defineCommand } from '../command.ts';
import { follow } from '../follow.ts';

export const manifestInspect = defineCommand({
  name: 'manifest inspect',
  synopsis: '[flags] NAME[:TAG|@DIGEST]',
  about: 'Prints the manifest or index that a registry has, as JSON.',
  flags: {
    raw: {
      type: 'boolean',
      help: 'Byte for byte as the registry has it: its sha256 is its digest',
    },
    descriptor: { type: 'boolean', help: 'Only its media type, digest and size' },
    referrers: {
      type: 'boolean',
      help: 'What refers to it instead: signatures, attestations and the like',
    },
  },
  examples: [
    { command: 'tsbuild manifest inspect debian', does: 'The index of all platforms' },
    { command: 'tsbuild manifest inspect --raw debian | sha256sum', does: 'Its digest' },
    { command: 'tsbuild manifest inspect --referrers ghcr.io/team/app:1', does: 'Who signed it' },
  ],
  args: { min: 1, max: 1 },
  async run({ flags, args }, context) {
    const { env, signal, stdout } = context;
    const operation = inspectManifest({
      reference: args[0]!,
      referrers: flags.referrers ?? false,
      env,
      signal,
    });
    const { bytes, descriptor, referrers } = await follow(operation, context, {
      progress: 'quiet',
    });
    const json = (value: unknown) => stdout.write(`${JSON.stringify(value, null, 2)}\n`);
    if (flags.raw) stdout.write(bytes);
    else if (flags.descriptor) json(descriptor);
    else json(referrers ?? JSON.parse(Buffer.from(bytes).toString('utf8')));
  },
});
