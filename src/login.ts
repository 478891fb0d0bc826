/** `login` and `logout` of the API: credentials are kept where docker keeps them. */
import type { HostOptions } from './options.ts';
import { dockerConfigFile, registrySettings } from './registry-settings.ts';

export interface LoginOptions extends HostOptions {
  /** As people write it: `docker.io`, `ghcr.io`, `localhost:5000`. */
  readonly registry: string;
  readonly username: string;
  /** A password or a token. */
  readonly password: string;
}

export interface LoginResult {
  readonly registry: string;
  /** The credential helper that holds the password now. */
  readonly helper?: string;
  /** The file that holds it, unencrypted, when there is no helper. */
  readonly file: string;
}

/** Stores nothing unless the registry accepts the credentials. @throws TsbuildError `REGISTRY_AUTH`, `NETWORK` */
export async function login(options: LoginOptions): Promise<LoginResult> {
  const { login: verifyAndStore } = await import('./registry/login.ts');
  const { registry, username, password, signal } = options;
  const env = options.env ?? process.env;
  const configFile = dockerConfigFile(env);
  const result = await verifyAndStore({
    registry,
    username,
    password,
    configFile,
    client: await registrySettings(env),
    env,
    ...(signal === undefined ? {} : { signal }),
  });
  return { ...result, file: configFile };
}

/** Says whether there was anything to forget. */
export async function logout(
  options: HostOptions & { readonly registry: string },
): Promise<boolean> {
  const { logout: forget } = await import('./registry/login.ts');
  const env = options.env ?? process.env;
  return forget({ registry: options.registry, configFile: dockerConfigFile(env), env });
}
