/**
 * Where credentials come from: docker's config.json, the credential helpers that it names, and podman's auth.json. A
 * {@link Keychain} is asked for one registry at a time; credentials of another never leave their file.
 */
import { readFileSync } from 'node:fs';
import { errnoOf, TsbuildError } from '../errors.ts';
import { type AuthFile, findAuth, findHelper, parseAuthFile } from './auth-file.ts';
import { type HelperOptions, helperGet } from './credential-helper.ts';

export type Credentials =
  | { readonly username: string; readonly password: string }
  /** Exchanged for tokens at the registry's token server. */
  | { readonly identityToken: string }
  /** A bearer token as it is. */
  | { readonly registryToken: string };

export interface Keychain {
  /** Credentials for a registry as it is called in references; `undefined` if there are none. */
  credentials(registry: string): Promise<Credentials | undefined>;
}

export interface KeychainOptions {
  /** Looked at in this order; files that do not exist are skipped. */
  readonly files: readonly string[];
  /** The text of a config.json that comes before all files (`DOCKER_AUTH_CONFIG`). */
  readonly inline?: string;
  /** For credential helpers: where their programs are found, and what they see. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onWarning?: (message: string) => void;
}

/** Reads the files anew with each question: they may change while a long build runs. */
export function createKeychain(options: KeychainOptions): Keychain {
  const find = async (config: AuthFile | undefined, registry: string) =>
    config && fromFile(config, registry, options);
  return {
    async credentials(registry) {
      const { inline, files } = options;
      const first = inline
        ? await find(parseAuthFile(inline, 'DOCKER_AUTH_CONFIG'), registry)
        : undefined;
      if (first !== undefined) return first;
      for (const file of files) {
        const found = await find(readAuthFile(file), registry);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}

/** @throws TsbuildError `USAGE` if it is there and cannot be read; absence is `undefined`. */
export function readAuthFile(file: string): AuthFile | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw new TsbuildError('USAGE', `read credentials from ${file}: ${errno ?? 'failed'}`, {
      cause,
    });
  }
  return parseAuthFile(text, file);
}

/** A helper named for the registry, then the helper for all, then the file's own entries. */
async function fromFile(
  config: AuthFile,
  registry: string,
  options: KeychainOptions,
): Promise<Credentials | undefined> {
  const { env, onWarning } = options;
  const helper = findHelper(config, registry);
  const get = helper?.isNamed ? helperGet : fromStore;
  const found = helper && (await get(helper.name, registry, { env, onWarning }));
  return found ?? findAuth(config.auths, registry);
}

/** A config.json copied from a desktop names a store that this machine does not have: no reason to pull nothing at all. */
async function fromStore(
  name: string,
  registry: string,
  { env, onWarning }: HelperOptions & Pick<KeychainOptions, 'onWarning'>,
): Promise<Credentials | undefined> {
  try {
    return await helperGet(name, registry, { env });
  } catch (error) {
    if (!(error instanceof TsbuildError) || errnoOf(error.cause) !== 'ENOENT') throw error;
    onWarning?.(`${error.message}; going on without it`);
    return undefined;
  }
}
