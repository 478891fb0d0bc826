import { tagImage } from '../../index.ts';
import { defineCommand } from '../command.ts';

export const tag = defineCommand({
  name: 'tag',
  synopsis: 'IMAGE NAME[:TAG]',
  about:
    'Gives an image of the store another name. IMAGE is a name, an id or the beginning of an id.',
  flags: {},
  examples: [
    { command: 'tsbuild tag app registry.example/team/app:1', does: 'Name it for a registry' },
  ],
  args: { min: 2, max: 2 },
  async run({ args }, { env }) {
    await tagImage({ image: args[0]!, name: args[1]!, env });
  },
});
