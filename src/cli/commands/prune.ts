import { prune as pruneStore } from '../../index.ts';
import { formatBytes } from '../../progress/format.ts';
import { defineCommand } from '../command.ts';

export const prune = defineCommand({
  name: 'prune',
  synopsis: '[flags]',
  about:
    'Frees space: removes what no image and no cache record refers to, images without a name, and records that were not used for a while.',
  flags: {
    all: { type: 'boolean', short: 'a', help: 'Also the whole build cache' },
    force: { type: 'boolean', short: 'f', help: 'For scripts; nothing is ever asked' },
  },
  examples: [
    { command: 'tsbuild prune', does: 'Remove what is not needed' },
    { command: 'tsbuild prune --all', does: 'Keep nothing but named images' },
  ],
  args: { min: 0, max: 0 },
  async run({ flags }, { env, signal, stdout }) {
    const { reclaimed } = await pruneStore({ all: flags.all ?? false, env, signal });
    stdout.write(`Reclaimed ${formatBytes(reclaimed)}\n`);
  },
});
