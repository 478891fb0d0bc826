import { saveImages } from '../../index.ts';
import { defineCommand } from '../command.ts';
import { usage } from '../flags.ts';

export const save = defineCommand({
  name: 'save',
  synopsis: '[flags] IMAGE [IMAGE…]',
  about:
    "Writes images to a tar archive that 'docker load', 'podman load' and 'tsbuild load' read; to stdout without -o.",
  flags: {
    output: { type: 'string', short: 'o', value: 'FILE', help: 'Write to FILE' },
    format: {
      type: 'string',
      choices: ['docker', 'oci'],
      help: 'docker (default): also an OCI layout; oci: nothing but an OCI layout',
    },
  },
  examples: [
    { command: 'tsbuild save -o app.tar app', does: 'One image to a file' },
    { command: 'tsbuild save app | ssh host docker load', does: 'To another machine' },
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  async run({ flags, args }, { env, signal, stdout }) {
    if (flags.output === undefined && stdout.isTTY) {
      throw usage('an archive does not go to a terminal', 'redirect stdout, or add -o FILE');
    }
    const format = flags.format === 'oci' ? 'oci' : 'docker';
    await saveImages({ images: args, format, dest: flags.output ?? stdout, env, signal });
  },
});
