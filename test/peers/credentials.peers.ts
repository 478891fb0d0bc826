/** One config.json for docker and for us: who logs in with one is logged in with the other. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cli, createCli } from '../helpers/cli.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { has, run } from './tools.ts';

const credentials = { username: 'me', password: 'se:cret' };

let registry: DockerRegistry;
let cli: Cli;
let context: string;
beforeAll(async () => {
  registry = await startDockerRegistry({ credentials });
  cli = createCli();
  context = cli.context({ Dockerfile: 'FROM scratch\nCOPY file /\n', file: 'content\n' });
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await cli[Symbol.asyncDispose]();
});

const login = () => ['login', '-u', credentials.username, '--password-stdin', registry.host];

function configDirectory(name: string) {
  const directory = join(cli.directory, name);
  mkdirSync(directory);
  return { directory, env: { DOCKER_CONFIG: directory } };
}

describe.skipIf(!has('docker'))('docker', () => {
  test('logs in, and we push and pull', async () => {
    const { directory, env } = configDirectory('by-docker');
    const name = `${registry.host}/by-docker/app:1`;
    await run('docker', ['--config', directory, ...login()], { input: credentials.password });
    await cli.ok(['build', '-t', name, context]);
    await cli.ok(['push', name], { env });
    await cli.ok(['pull', name], { env: { ...env, TSBUILD_HOME: join(cli.directory, 'fresh') } });
    await cli.ok(['logout', registry.host], { env });
    expect(JSON.parse(readFileSync(join(directory, 'config.json'), 'utf8')).auths).toEqual({});
  });

  test('pulls and pushes where we have logged in', async () => {
    const { directory, env } = configDirectory('by-us');
    const name = `${registry.host}/by-us/app:1`;
    await cli.ok(login(), { stdin: credentials.password, env });
    await cli.ok(['build', '-t', name, '--push', context], { env });
    await run('docker', ['--config', directory, 'pull', '-q', name]);
    await run('docker', ['tag', name, `${name}-again`]);
    await run('docker', ['--config', directory, 'push', '-q', `${name}-again`]);
    await run('docker', ['rmi', '-f', name, `${name}-again`]);
    await run('docker', ['--config', directory, 'logout', registry.host]);
    expect((await cli.run(['pull', `${name}-again`], { env })).status).toBe(7);
  });
});

describe.skipIf(!has('podman'))('podman', () => {
  test('logs in, and we pull', async () => {
    const { directory } = configDirectory('by-podman');
    const file = join(directory, 'auth.json');
    const args = login();
    await run('podman', [args[0]!, '--authfile', file, '--tls-verify=false', ...args.slice(1)], {
      input: credentials.password,
    });
    const name = `${registry.host}/by-podman/app:1`;
    const env = { DOCKER_CONFIG: join(directory, 'none'), REGISTRY_AUTH_FILE: file };
    await cli.ok(['build', '-t', name, '--push', context], { env });
  });
});
