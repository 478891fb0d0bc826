import { login as storeLogin } from '../../index.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { type FlagValues, usage } from '../flags.ts';
import { ask, readAll } from '../prompt.ts';

const FLAGS = {
  username: { type: 'string', short: 'u', value: 'NAME', help: 'User' },
  password: {
    type: 'string',
    short: 'p',
    value: 'PASSWORD',
    help: 'Password or token; others on this machine can read it there',
  },
  'password-stdin': { type: 'boolean', help: 'Read the password or token from stdin' },
} as const;

export const login = defineCommand({
  name: 'login',
  synopsis: '[flags] [REGISTRY]',
  about:
    'Asks a registry whether it takes the credentials, and stores them where docker does: in a credential helper if one is configured, else in config.json of DOCKER_CONFIG or ~/.docker. REGISTRY is docker.io if not given.',
  flags: FLAGS,
  examples: [
    {
      command: 'echo "$TOKEN" | tsbuild login -u me --password-stdin ghcr.io',
      does: 'In a script',
    },
    { command: 'tsbuild login localhost:5000', does: 'Asks for name and password' },
  ],
  args: { min: 0, max: 1 },
  async run({ flags, args }, context) {
    const { env, signal } = context;
    const registry = args[0] ?? 'docker.io';
    const result = await storeLogin({
      registry,
      ...(await credentials(flags, context)),
      env,
      signal,
    });
    const where =
      result.helper === undefined ? `${result.file}, unencrypted` : `helper ${result.helper}`;
    context.stderr.write(`credentials stored in ${where}\n`);
    context.stdout.write('Login Succeeded\n');
  },
});

async function credentials(
  flags: FlagValues<typeof FLAGS>,
  context: CommandContext,
): Promise<{ username: string; password: string }> {
  const fromStdin = flags['password-stdin'] ?? false;
  if (fromStdin && flags.password !== undefined) {
    throw usage('--password and --password-stdin exclude each other');
  }
  if (fromStdin && flags.username === undefined) throw usage('--password-stdin needs --username');
  if (flags.password !== undefined) {
    const warning = 'others on this machine can read a password on the command line';
    context.stderr.write(`warning: ${warning}; use --password-stdin\n`);
  }
  const username = flags.username ?? (await ask('Username: ', context, { echo: true }));
  const password = fromStdin
    ? (await readAll(context.stdin, 64 * 1024)).replace(/\r?\n$/, '')
    : (flags.password ?? (await ask('Password: ', context, { echo: false })));
  if (username === '') throw usage('the user name is empty');
  if (password === '') throw usage('the password is empty');
  return { username, password };
}
