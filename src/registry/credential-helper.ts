/**
 * Programs that keep credentials: `docker-credential-NAME get|store|erase`, the question on stdin, the answer on stdout.
 * What such a program prints may be a secret, and is never shown.
 * https://github.com/docker/docker-credential-helpers
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { TsbuildError } from '../errors.ts';
import { authKey } from './auth-file.ts';
import type { Credentials } from './credentials.ts';

export interface HelperOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeoutMilliseconds?: number;
}

const TIMEOUT_MILLISECONDS = 60_000;
const MAX_ANSWER = 1024 * 1024;
/** What helpers say, with a bad exit status, for an absence. */
const NOT_FOUND = /credentials not found|no credentials|missing server ?url/i;
/** The user name that says: the secret is an identity token. */
const IDENTITY_TOKEN = '<token>';

export async function helperGet(
  name: string,
  registry: string,
  options: HelperOptions,
): Promise<Credentials | undefined> {
  const { status, output } = await run(name, 'get', authKey(registry), options);
  if (status !== 0) {
    if (NOT_FOUND.test(output)) return undefined;
    throw failed(name, 'get', `it ended with status ${status}`);
  }
  let answer: unknown;
  try {
    answer = JSON.parse(output);
  } catch {
    throw failed(name, 'get', 'its answer is not JSON');
  }
  const { Username: username, Secret: secret } = (answer ?? {}) as Record<string, unknown>;
  if (typeof username !== 'string' || typeof secret !== 'string')
    throw failed(name, 'get', 'its answer lacks Username or Secret');
  if (secret === '') return undefined;
  return username === IDENTITY_TOKEN ? { identityToken: secret } : { username, password: secret };
}

export async function helperStore(
  name: string,
  registry: string,
  credentials: Credentials,
  options: HelperOptions,
): Promise<void> {
  const [username, secret] =
    'identityToken' in credentials
      ? [IDENTITY_TOKEN, credentials.identityToken]
      : 'password' in credentials
        ? [credentials.username, credentials.password]
        : [IDENTITY_TOKEN, credentials.registryToken];
  const question = JSON.stringify({
    ServerURL: authKey(registry),
    Username: username,
    Secret: secret,
  });
  const { status } = await run(name, 'store', question, options);
  if (status !== 0) throw failed(name, 'store', `it ended with status ${status}`);
}

export async function helperErase(
  name: string,
  registry: string,
  options: HelperOptions,
): Promise<void> {
  const { status, output } = await run(name, 'erase', authKey(registry), options);
  if (status !== 0 && !NOT_FOUND.test(output))
    throw failed(name, 'erase', `it ended with status ${status}`);
}

async function run(
  name: string,
  verb: string,
  input: string,
  options: HelperOptions,
): Promise<{ status: number; output: string }> {
  // The name is of a program on the PATH; a path in it would run any file.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name))
    throw new TsbuildError(
      'USAGE',
      `not a name of a credential helper: ${JSON.stringify(name.slice(0, 100))}`,
    );
  const child = spawn(`docker-credential-${name}`, [verb], {
    env: options.env as NodeJS.ProcessEnv,
    stdio: ['pipe', 'pipe', 'ignore'],
    timeout: options.timeoutMilliseconds ?? TIMEOUT_MILLISECONDS,
  });
  const chunks: Buffer[] = [];
  let size = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_ANSWER) child.kill('SIGKILL');
    else chunks.push(chunk);
  });
  // It may answer without reading the question.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  try {
    const [status] = (await once(child, 'close')) as [number | null];
    return { status: status ?? -1, output: Buffer.concat(chunks).toString('utf8') };
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw failed(
      name,
      verb,
      missing ? 'the program is not installed' : 'it cannot be started',
      cause,
    );
  }
}

function failed(name: string, verb: string, why: string, cause?: unknown): TsbuildError {
  return new TsbuildError(
    'REGISTRY_AUTH',
    `credential helper docker-credential-${name} ${verb}: ${why}`,
    {
      ...(cause === undefined ? {} : { cause }),
      hint: 'install it, or take it out of the credHelpers and credsStore of your docker config.json',
    },
  );
}
