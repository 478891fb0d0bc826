import { copy as copyImage } from '../../index.ts';
import { defineCommand } from '../command.ts';
import { follow, PROGRESS_FLAG } from '../follow.ts';
import { withoutUndefined } from '../values.ts';

export const copy = defineCommand({
  name: 'copy',
  synopsis: '[flags] SOURCE DESTINATION',
  about:
    'Copies an image, with all its platforms, byte for byte, and prints its digest. Each place is an image of a registry, oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME]; the source may also be store:NAME, an image of the local store.',
  flags: {
    platform: { type: 'string', value: 'OS/ARCH', help: 'Only this platform' },
    referrers: {
      type: 'boolean',
      help: 'Also what refers to it: signatures, attestations and the like',
    },
    progress: PROGRESS_FLAG,
    quiet: { type: 'boolean', short: 'q', help: 'No progress' },
  },
  notes:
    'Between repositories of one registry, layers are mounted, not moved. Layers that never were compressed (of the store and of docker archives) are when they go to a registry. A docker archive has room for one platform.',
  examples: [
    {
      command: 'tsbuild copy ghcr.io/team/app:1 registry.example/team/app:1',
      does: 'From one registry to another',
    },
    { command: 'tsbuild copy debian oci:layout:debian', does: 'Into an OCI layout' },
    {
      command: 'tsbuild copy oci-archive:app.tar localhost:5000/app:1',
      does: 'What a build has written, into a registry',
    },
  ],
  args: { min: 2, max: 2 },
  async run({ flags, args }, context) {
    const { env, signal } = context;
    const [source, destination] = args as [string, string];
    const { platform, referrers } = flags;
    const options = { source, destination, platform, referrers, env, signal };
    const { digest } = await follow(copyImage(withoutUndefined(options)), context, flags);
    context.stdout.write(`${digest}\n`);
  },
});
