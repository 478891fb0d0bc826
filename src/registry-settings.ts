/** How registries are reached from this machine: where the process's environment says that configuration and credentials are. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { RegistryClient, RegistryClientOptions } from './registry/client.ts';
import type { ProxyOptions } from './registry/transport.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** A client with everything that was configured, which holds `insecure` hosts for insecure beyond that. */
export async function openRegistry(
  env: Env,
  onWarning: (message: string) => void,
  insecure: readonly string[] = [],
): Promise<RegistryClient> {
  const { createRegistryClient } = await import('./registry/client.ts');
  const { createKeychain } = await import('./registry/credentials.ts');
  const settings = await registrySettings(env);
  return createRegistryClient({
    ...settings,
    insecure: [...(settings.insecure ?? []), ...insecure],
    keychain: createKeychain({
      files: credentialFiles(env),
      env,
      onWarning,
      ...(env.DOCKER_AUTH_CONFIG ? { inline: env.DOCKER_AUTH_CONFIG } : {}),
    }),
    onWarning,
  });
}

/** Everything but credentials. @throws TsbuildError `USAGE` for a registries.json that makes no sense */
export async function registrySettings(env: Env): Promise<RegistryClientOptions> {
  const { listFiles, readRegistryConfiguration } = await import('./registry/configuration.ts');
  const configuration = readRegistryConfiguration({
    podmanFiles: podmanFiles(env, listFiles),
    files: env.TSBUILD_REGISTRIES
      ? [env.TSBUILD_REGISTRIES]
      : ['/etc/tsbuild', configHome(env, 'tsbuild')].map((path) => join(path, 'registries.json')),
    certificates: [
      ...['tsbuild', 'containers', 'docker'].map((tool) => configHome(env, tool)),
      '/etc/tsbuild',
      '/etc/containers',
      '/etc/docker',
    ].map((path) => join(path, 'certs.d')),
  });
  return { userAgent: `tsbuild/${TSBUILD_VERSION}`, proxy: proxyOf(env), ...configuration };
}

/** The user's file stands in for the system's; those in directories add to it. */
function podmanFiles(env: Env, list: (directory: string) => readonly string[]): readonly string[] {
  const [system, user] = ['/etc/containers', configHome(env, 'containers')];
  const [own, common] = [user, system].map((path) => join(path, 'registries.conf'));
  const main = env.CONTAINERS_REGISTRIES_CONF || (existsSync(own!) ? own! : common!);
  const directories = [system, user].map((path) => join(path, 'registries.conf.d'));
  const more = directories.flatMap((directory) =>
    list(directory).flatMap((name) => (name.endsWith('.conf') ? join(directory, name) : [])),
  );
  return [main, ...more];
}

/** Where docker keeps its configuration: `DOCKER_CONFIG`, else `~/.docker`. */
export function dockerConfigFile(env: Env): string {
  return join(env.DOCKER_CONFIG || join(env.HOME || homedir(), '.docker'), 'config.json');
}

/**
 * The file that somebody has named, else docker's first, then podman's, where `podman login` writes it and where it is kept
 * over reboots.
 */
function credentialFiles(env: Env): string[] {
  const docker = dockerConfigFile(env);
  if (env.REGISTRY_AUTH_FILE) return [env.REGISTRY_AUTH_FILE, docker];
  const runtime = env.XDG_RUNTIME_DIR ?? `/run/user/${process.getuid?.() ?? 0}`;
  const podman = [join(runtime, 'containers'), configHome(env, 'containers')];
  return [docker, ...podman.map((path) => join(path, 'auth.json'))];
}

/** In either case; the upper one first, as in programs of Go. */
export function proxyOf(env: Env): ProxyOptions {
  const find = (name: string) => env[name] || env[name.toLowerCase()];
  const [all, http, https, no] = ['ALL_PROXY', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'].map(find);
  return {
    ...((http ?? all) ? { http: (http ?? all)! } : {}),
    ...((https ?? all) ? { https: (https ?? all)! } : {}),
    ...(no ? { no } : {}),
  };
}

function configHome(env: Env, tool: string): string {
  return join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'), tool);
}
