import { createIndex } from '../../index.ts';
import { defineCommand } from '../command.ts';
import { follow, PROGRESS_FLAG } from '../follow.ts';

export const indexCreate = defineCommand({
  name: 'index create',
  synopsis: '[flags] NAME[:TAG] IMAGE [IMAGE…]',
  about:
    'Makes one image for several platforms of images that registries have, stores it as NAME, and prints its digest.',
  flags: {
    annotation: {
      type: 'list',
      value: 'KEY=VALUE',
      help: 'Annotation of the index; manifest-descriptor[OS/ARCH]:KEY=VALUE for an entry of it',
    },
    'dry-run': { type: 'boolean', help: 'Print the index, store nothing' },
    progress: PROGRESS_FLAG,
    quiet: { type: 'boolean', short: 'q', help: 'No progress' },
  },
  notes:
    'An IMAGE that is an index itself brings all its images. What lies in another repository is copied into that of NAME. An image that comes twice is in the index once.',
  examples: [
    {
      command:
        'tsbuild index create ghcr.io/team/app:1 ghcr.io/team/app:1-amd64 ghcr.io/team/app:1-arm64',
      does: 'Of what two machines have built',
    },
  ],
  args: { min: 2, max: Number.POSITIVE_INFINITY },
  async run({ flags, args }, context) {
    const { env, signal, stdout } = context;
    const [name, ...references] = args as [string, ...string[]];
    const dryRun = flags['dry-run'] ?? false;
    const options = { name, references, annotations: flags.annotation, dryRun, env, signal };
    const { digest, document } = await follow(createIndex(options), context, flags);
    stdout.write(dryRun ? `${JSON.stringify(document, null, 2)}\n` : `${digest}\n`);
  },
});
