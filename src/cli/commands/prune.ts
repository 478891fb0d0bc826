import { prune as pruneStore } from '../../index.ts';
import { formatBytes } from '../../progress/format.ts';
import { defineCommand } from '../command.ts';

export const prune = defineCommand({
  name: 'prune',
  synopsis: '[flags]',
  about:
    'Frees space: removes images without a name, and what neither an image nor the build cache needs.',
  flags: {
    all: { type: 'boolean', short: 'a', help: 'Also the whole build cache' },
    force: { type: 'boolean', short: 'f', help: 'For scripts; nothing is ever asked' },
  },
  examples: [
    { command: 'tsbuild prune', does: 'Remove what is not needed' },
    { command: 'tsbuild prune --all', does: 'Keep nothing but named images' },
  ],
  args: { min: 0, max: 0 },
  async run({ flags }, { env, stdout, stderr }) {
    const { reclaimed, left } = await pruneStore({ all: flags.all ?? false, env });
    for (const path of left) stderr.write(`could not be removed: ${path}\n`);
    stdout.write(`Reclaimed ${formatBytes(reclaimed)}\n`);
  },
});
