import { inspectImages } from '../../index.ts';
import { defineCommand } from '../command.ts';

export const inspect = defineCommand({
  name: 'inspect',
  synopsis: 'IMAGE [IMAGE…]',
  about: "Prints what is known of images, as a JSON array in the shape of 'docker image inspect'.",
  flags: {},
  examples: [
    { command: 'tsbuild inspect app', does: 'Everything' },
    { command: "tsbuild inspect app | jq '.[0].Config.Env'", does: 'One part' },
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  async run({ args }, { env, stdout }) {
    stdout.write(`${JSON.stringify(await inspectImages({ images: args, env }), null, 2)}\n`);
  },
});
