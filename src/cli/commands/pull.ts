import { pull as pullImage } from '../../index.ts';
import { defineCommand } from '../command.ts';
import { follow, PROGRESS_FLAG } from '../follow.ts';
import { withoutUndefined } from '../values.ts';

export const pull = defineCommand({
  name: 'pull',
  synopsis: '[flags] NAME[:TAG|@DIGEST]',
  about: 'Fetches an image from its registry into the store, and prints its name.',
  flags: {
    platform: { type: 'string', value: 'OS/ARCH', help: "Platform (default: this machine's)" },
    progress: PROGRESS_FLAG,
    quiet: { type: 'boolean', short: 'q', help: 'No progress' },
  },
  examples: [
    { command: 'tsbuild pull localhost:5000/app:1', does: 'Fetch one image' },
    { command: 'tsbuild pull --platform linux/arm64 debian', does: 'For another platform' },
  ],
  args: { min: 1, max: 1 },
  async run({ flags, args }, context) {
    const { env, signal } = context;
    const options = withoutUndefined({
      reference: args[0]!,
      platform: flags.platform,
      env,
      signal,
    });
    const result = await follow(pullImage(options), context, flags);
    context.stdout.write(`${result.name}\n`);
  },
});
