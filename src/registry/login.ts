/** `login` and `logout`: the registry is asked before anything is stored; a file keeps what others wrote into it. */
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { errnoOf, isTsbuildError, TsbuildError } from '../errors.ts';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { type AuthFile, authKey, findHelper, normalizeKey, parseAuthFile } from './auth-file.ts';
import { createRegistryClient, type RegistryClientOptions } from './client.ts';
import { type HelperOptions, helperErase, helperStore } from './credential-helper.ts';
import { readAuthFile } from './credentials.ts';
import { discard } from './http.ts';

export interface LoginOptions {
  /** As people write it: `docker.io`, `ghcr.io`, `https://index.docker.io/v1/`. */
  readonly registry: string;
  readonly username: string;
  readonly password: string;
  /** Docker's config.json; made when it does not exist. */
  readonly configFile: string;
  readonly client: Omit<RegistryClientOptions, 'keychain'>;
  /** For credential helpers. */
  readonly env: HelperOptions['env'];
  readonly signal?: AbortSignal;
}

export interface LoginResult {
  readonly registry: string;
  /** The credential helper that holds the password now; absent if that is the file, which does not encrypt it. */
  readonly helper?: string;
}

/** @throws RegistryError `REGISTRY_AUTH` if the registry does not accept the credentials; nothing is stored then. */
export async function login(options: LoginOptions): Promise<LoginResult> {
  const registry = registryName(options.registry);
  const { username, password, configFile } = options;
  await verify(registry, options);
  const config = readAuthFile(configFile) ?? parseAuthFile('{}', configFile);
  const helper = findHelper(config, registry)?.name;
  const key = authKey(registry);
  if (helper !== undefined) {
    await helperStore(helper, registry, { username, password }, { env: options.env });
    // An empty entry, as docker leaves it, tells other tools that the registry is known.
    writeAuths(configFile, config, { ...withoutRegistry(config, registry), [key]: {} });
    return { registry, helper };
  }
  const auth = Buffer.from(`${username}:${password}`, 'utf8').toString('base64');
  writeAuths(configFile, config, { ...withoutRegistry(config, registry), [key]: { auth } });
  return { registry };
}

/** Forgets a registry. Says whether there was anything to forget. */
export async function logout(
  options: Pick<LoginOptions, 'registry' | 'configFile' | 'env'>,
): Promise<boolean> {
  const registry = registryName(options.registry);
  const config = readAuthFile(options.configFile);
  if (config === undefined) return false;
  const helper = findHelper(config, registry)?.name;
  if (helper !== undefined) await helperErase(helper, registry, { env: options.env });
  const auths = withoutRegistry(config, registry);
  const known = Object.keys(auths).length < Object.keys(config.auths).length;
  if (known) writeAuths(options.configFile, config, auths);
  return known || helper !== undefined;
}

function registryName(text: string): string {
  const name = normalizeKey(text.trim());
  if (name === '' || /[\s/@?#]/.test(name)) {
    throw new TsbuildError('USAGE', `not a registry: ${JSON.stringify(text.slice(0, 200))}`, {
      hint: 'give its host, for instance ghcr.io',
    });
  }
  return name;
}

/** Asks the registry's root (`/v2/`), which every registry answers and lets in nobody that it does not know. */
async function verify(registry: string, options: LoginOptions): Promise<void> {
  const { username, password, signal } = options;
  if (username === '' || password === '')
    throw new TsbuildError('USAGE', 'login needs a user name and a password');
  await using client = createRegistryClient({
    ...options.client,
    keychain: { credentials: async () => ({ username, password }) },
  });
  const call = { method: 'GET', url: 'v2/', scopes: [], expect: [200] } as const;
  try {
    await discard(await client.session(registry).call({ ...call, ...(signal ? { signal } : {}) }));
  } catch (cause) {
    if (!isTsbuildError(cause) || cause.code !== 'REGISTRY_AUTH') throw cause;
    throw new TsbuildError(
      'REGISTRY_AUTH',
      `${registry} does not accept the user name or the password`,
      {
        cause,
        hint: 'many registries want an access token in place of the password',
      },
    );
  }
}

function withoutRegistry(config: AuthFile, registry: string): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config.auths).filter(([key]) => normalizeKey(key) !== registry),
  );
}

/** Readable by the owner alone, unless somebody has decided otherwise; a file that is a link stays one. */
function writeAuths(file: string, config: AuthFile, auths: Record<string, unknown>): void {
  const text = `${JSON.stringify({ ...config.document, auths }, null, '\t')}\n`;
  try {
    const target = linkTarget(file);
    const before = statSync(target, { throwIfNoEntry: false });
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    writeFileAtomic(target, Buffer.from(text), { mode: (before?.mode ?? 0o600) & 0o777 });
    if (before && process.getuid?.() === 0) chownSync(target, before.uid, before.gid);
  } catch (cause) {
    throw new TsbuildError(
      'OUTPUT',
      `store credentials in ${file}: ${errnoOf(cause) ?? 'failed'}`,
      { cause },
    );
  }
}

/** Where a link leads, although nothing need be there yet. */
function linkTarget(file: string): string {
  if (existsSync(file)) return realpathSync(file);
  const isLink = lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink();
  return isLink ? resolve(dirname(file), readlinkSync(file)) : file;
}
