import { prune as pruneStore } from '../../index.ts';
import { formatBytes } from '../../progress/format.ts';
import { defineCommand } from '../command.ts';
import { usage } from '../flags.ts';
import { parseAge, parseSize, splitPair } from '../values.ts';

export const prune = defineCommand({
  name: 'prune',
  synopsis: '[flags]',
  about:
    'Frees space: removes images without a name, cached steps and downloads that no build has used for 7 days, and whatever no image and no cached step needs. Images with a name always stay.',
  flags: {
    all: {
      type: 'boolean',
      short: 'a',
      help: 'Also the whole build cache, all downloads and all cache mounts',
    },
    filter: {
      type: 'list',
      value: 'until=AGE',
      help: 'Only what was not made or used for so long: until=24h',
    },
    force: { type: 'boolean', short: 'f', help: 'For scripts; nothing is ever asked' },
    'keep-storage': {
      type: 'string',
      value: 'SIZE',
      help: 'What the build cache may keep, of the steps used last: 10g',
    },
  },
  examples: [
    { command: 'tsbuild prune', does: 'Remove what is not needed' },
    { command: 'tsbuild prune --all', does: 'Keep nothing but named images' },
    { command: 'tsbuild prune --keep-storage 10g', does: 'Also limit the build cache' },
    { command: 'tsbuild prune --filter until=24h', does: 'Keep the cache of the last day only' },
  ],
  args: { min: 0, max: 0 },
  async run({ flags }, { env, stdout, stderr }) {
    const olderThan = readFilters(flags.filter);
    const keep = flags['keep-storage'];
    const { reclaimed, left } = await pruneStore({
      all: flags.all ?? false,
      env,
      ...(olderThan === undefined ? {} : { olderThan }),
      ...(keep === undefined ? {} : { keepBytes: parseSize(keep, 'keep-storage') }),
    });
    for (const path of left) stderr.write(`could not be removed: ${path}\n`);
    stdout.write(`Reclaimed ${formatBytes(reclaimed)}\n`);
  },
});

/** Milliseconds. */
function readFilters(filters: readonly string[]): number | undefined {
  let age: number | undefined;
  for (const filter of filters) {
    const [name, value] = splitPair(filter);
    if (name !== 'until' || value === undefined) {
      throw usage(`flag --filter: ${JSON.stringify(filter)} is not until=AGE`);
    }
    age = parseAge(value, 'filter');
  }
  return age;
}
