import { removeImages } from '../../index.ts';
import { defineCommand } from '../command.ts';

export const rmi = defineCommand({
  name: 'rmi',
  synopsis: 'IMAGE [IMAGE…]',
  about:
    "Removes names of images; an id removes the image with all its names. 'tsbuild prune' frees the space.",
  flags: {
    force: { type: 'boolean', short: 'f', help: 'An image that does not exist is no error' },
  },
  examples: [
    { command: 'tsbuild rmi app:old', does: 'Forget one name' },
    { command: 'tsbuild rmi $(tsbuild images -q app)', does: 'Forget every image called app' },
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  async run({ flags, args }, { env, stdout }) {
    const removed = await removeImages({ images: args, ignoreMissing: flags.force ?? false, env });
    for (const name of removed) stdout.write(`Untagged: ${name}\n`);
  },
});
