import { inspectImages } from '../../index.ts';
import { defineCommand } from '../command.ts';
import { parseTemplate } from '../format-template.ts';

export const inspect = defineCommand({
  name: 'inspect',
  synopsis: '[flags] IMAGE [IMAGE…]',
  about: "Prints what is known of images, as a JSON array in the shape of 'docker image inspect'.",
  flags: {
    format: {
      type: 'string',
      short: 'f',
      value: 'TEMPLATE',
      help: "Only what a template of docker's says, a line for each image",
    },
    type: { type: 'string', choices: ['image'], help: 'Nothing else is inspected' },
  },
  examples: [
    { command: 'tsbuild inspect app', does: 'Everything' },
    { command: "tsbuild inspect -f '{{json .Config.Env}}' app", does: 'One part' },
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  async run({ flags, args }, { env, stdout }) {
    const format = flags.format === undefined ? undefined : parseTemplate(flags.format);
    const images = await inspectImages({ images: args, env });
    if (format === undefined) stdout.write(`${JSON.stringify(images, null, 2)}\n`);
    else for (const image of images) stdout.write(`${format(image)}\n`);
  },
});
