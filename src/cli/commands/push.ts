import { listImages, push as pushImage } from '../../index.ts';
import { parseReference } from '../../oci/reference.ts';
import type { HostOptions } from '../../options.ts';
import { readFormat } from '../../output-attributes.ts';
import { defineCommand } from '../command.ts';
import { usage } from '../flags.ts';
import { follow, PROGRESS_FLAG } from '../follow.ts';
import { withoutUndefined } from '../values.ts';

export const push = defineCommand({
  name: 'push',
  synopsis: '[flags] NAME[:TAG]',
  about:
    'Sends an image of the store to the registry in its name, and prints the name with its digest.',
  flags: {
    'all-tags': { type: 'boolean', short: 'a', help: 'All tags of the repository NAME' },
    platform: { type: 'string', value: 'OS/ARCH', help: 'Only this platform' },
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
    const { platform } = flags;
    const names = flags['all-tags'] ? await tagsOf(args[0]!, env) : [args[0]!];
    for (const reference of names) {
      const operation = pushImage(
        withoutUndefined({ reference, platform, ...format, env, signal }),
      );
      const result = await follow(operation, context, flags);
      context.stdout.write(`${result.name}@${result.digest}\n`);
    }
  },
});

async function tagsOf(repository: string, env: HostOptions['env']): Promise<readonly string[]> {
  const { tag = 'latest', digest } = parseReference(repository);
  if (digest !== undefined || tag !== 'latest' || repository.endsWith(':latest'))
    throw usage(`--all-tags: ${JSON.stringify(repository)} has a tag already`);
  const images = await listImages(withoutUndefined({ name: repository, env }));
  const names = new Set(images.flatMap(({ name }) => (name?.includes('@') ? [] : (name ?? []))));
  if (names.size === 0) throw usage(`--all-tags: the store has no image ${repository}`);
  return [...names].sort();
}
