import { logout as forgetLogin } from '../../index.ts';
import { defineCommand } from '../command.ts';

export const logout = defineCommand({
  name: 'logout',
  synopsis: '[REGISTRY]',
  about: 'Forgets the credentials of a registry; docker.io if not given.',
  flags: {},
  examples: [{ command: 'tsbuild logout ghcr.io', does: 'Forget one registry' }],
  args: { min: 0, max: 1 },
  async run({ args }, { env, stdout }) {
    const registry = args[0] ?? 'docker.io';
    const known = await forgetLogin({ registry, env });
    stdout.write(
      known ? `Removed the credentials of ${registry}\n` : `Not logged in to ${registry}\n`,
    );
  },
});
