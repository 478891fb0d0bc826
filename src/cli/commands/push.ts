import { push as pushImage } from '../../index.ts';
import { readFormat } from '../../output-attributes.ts';
import { defineCommand } from '../command.ts';
import { follow, PROGRESS_FLAG } from '../follow.ts';

export const push = defineCommand({
  name: 'push',
  synopsis: '[flags] NAME[:TAG]',
  about:
    'Sends an image of the store to the registry in its name, and prints the name with its digest.',
  flags: {
    compression: {
      type: 'string',
      choices: ['gzip', 'zstd', 'uncompressed'],
      help: 'Of layers that are not compressed yet (default: gzip)',
    },
    'compression-level': { type: 'string', value: 'N', help: 'gzip: 0 to 9; zstd: 0 to 22' },
    'force-compression': { type: 'boolean', help: 'Of all layers, also those that were pulled' },
    progress: PROGRESS_FLAG,
    quiet: { type: 'boolean', short: 'q', help: 'No progress' },
  },
  examples: [
    { command: 'tsbuild push localhost:5000/app:1', does: 'Send one image' },
    {
      command:
        'tsbuild tag app registry.example/team/app:1 && tsbuild push registry.example/team/app:1',
      does: 'Name it for a registry first',
    },
  ],
  args: { min: 1, max: 1 },
  async run({ flags, args }, context) {
    const { env, signal } = context;
    const format = readFormat(
      flags.compression,
      flags['compression-level'],
      flags['force-compression'],
    );
    const operation = pushImage({ reference: args[0]!, ...format, env, signal });
    const result = await follow(operation, context, flags);
    context.stdout.write(`${result.name}@${result.digest}\n`);
  },
});
