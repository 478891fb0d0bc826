/** How registries are found and trusted: what is configured on the machine, seen by the built command. */
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { KEY, openssl, selfSign } from '../helpers/certificates.ts';
import { type Cli, createCli } from '../helpers/cli.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';

const credentials = { username: 'me', password: 'se:cret' };

let cli: Cli;
let context: string;
beforeAll(() => {
  cli = createCli();
  context = cli.context({ Dockerfile: 'FROM scratch\nCOPY file /\n', file: 'content\n' });
});
afterAll(() => cli[Symbol.asyncDispose]());

const at = (name: string) => join(cli.directory, name);

function put(name: string, text: string): void {
  mkdirSync(dirname(at(name)), { recursive: true });
  writeFileSync(at(name), text);
}

/** An authority, and certificates of it for a server on this machine and for a client. */
function certificates() {
  const file = (name: string) => at(`pki/${name}`);
  mkdirSync(at('pki'), { recursive: true });
  const authority = { cert: file('ca.crt'), key: file('ca.key') };
  selfSign(authority, '/CN=authority');
  for (const [name, extension] of [
    ['server', 'subjectAltName=IP:127.0.0.1'],
    ['client', 'extendedKeyUsage=clientAuth'],
  ] as const) {
    const request = file(`${name}.csr`);
    openssl('req', ...KEY, '-keyout', file(`${name}.key`), '-out', request, '-subj', `/CN=${name}`);
    writeFileSync(file(`${name}.ext`), extension);
    openssl(
      ...['x509', '-req', '-in', request, '-CA', authority.cert, '-CAkey', authority.key],
      ...['-CAcreateserial', '-out', file(`${name}.crt`), '-days', '2'],
      ...['-extfile', file(`${name}.ext`)],
    );
  }
  return file;
}

describe('TLS with an authority of our own', () => {
  let file: ReturnType<typeof certificates>;
  let registry: DockerRegistry;
  beforeAll(async () => {
    file = certificates();
    const tls = { cert: file('server.crt'), key: file('server.key') };
    registry = await startDockerRegistry({ tls, clientAuthority: file('ca.crt') });
  });
  afterAll(() => registry[Symbol.asyncDispose]());

  const home = (name: string) => {
    const directory = at(`${name}/containers/certs.d/${registry.host}`);
    mkdirSync(directory, { recursive: true });
    return { directory, env: { XDG_CONFIG_HOME: at(name) } };
  };

  test('certs.d has it, and what we show of ourselves', async () => {
    const { directory, env } = home('right');
    for (const [from, to] of [
      ['ca.crt', 'ca.crt'],
      ['client.crt', 'client.cert'],
      ['client.key', 'client.key'],
    ] as const)
      cpSync(file(from), join(directory, to));
    await cli.ok(['build', '-t', `${registry.host}/tls/app:1`, '--push', context], { env });
    await cli.ok(['pull', `${registry.host}/tls/app:1`], { env });
  });

  test('without a certificate to show, the error says where to put one', async () => {
    const { directory, env } = home('anonymous');
    cpSync(file('ca.crt'), join(directory, 'ca.crt'));
    const refused = await cli.run(['pull', `${registry.host}/tls/app:1`], { env });
    expect(refused.status).toBe(7);
    expect(refused.stderr).toContain('wants a client certificate');
    expect(refused.stderr).toContain(`certs.d/${registry.host}/client.cert`);
  });

  test('another authority is not believed, and the error says where to put the right one', async () => {
    const wrong = home('wrong');
    selfSign({ cert: join(wrong.directory, 'ca.crt'), key: at('other.key') }, '/CN=other');
    const refused = await cli.run(['pull', `${registry.host}/tls/app:1`], { env: wrong.env });
    expect(refused.status).toBe(7);
    expect(refused.stderr).toContain('certificate not accepted');
    expect(refused.stderr).toContain(`certs.d/${registry.host}`);
  });
});

describe('credentials', () => {
  let registry: DockerRegistry;
  let name: string;
  beforeAll(async () => {
    registry = await startDockerRegistry({ credentials });
    name = `${registry.host}/private/app:1`;
    const env = { DOCKER_CONFIG: at('docker') };
    const login = ['login', '-u', credentials.username, '--password-stdin', registry.host];
    await cli.ok(login, { stdin: credentials.password, env });
    await cli.ok(['build', '-t', name, '--push', context], { env });
  });
  afterAll(() => registry[Symbol.asyncDispose]());

  const auth = () =>
    Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
  const auths = () => JSON.stringify({ auths: { [registry.host]: { auth: auth() } } });

  test.each([
    [
      "podman's auth.json of the user",
      'config/containers/auth.json',
      { XDG_CONFIG_HOME: 'config' },
    ],
    ["podman's auth.json of the session", 'run/containers/auth.json', { XDG_RUNTIME_DIR: 'run' }],
    ['the file that REGISTRY_AUTH_FILE names', 'some.json', { REGISTRY_AUTH_FILE: 'some.json' }],
  ])('are found in %s', async (_, file, variables) => {
    put(file, auths());
    const env = {
      DOCKER_CONFIG: at('none'),
      TSBUILD_HOME: at('other-home'),
      ...Object.fromEntries(Object.entries(variables).map(([key, value]) => [key, at(value)])),
    };
    await cli.ok(['pull', name], { env });
  });

  test('come from DOCKER_AUTH_CONFIG, as CI has it', async () => {
    const env = { DOCKER_CONFIG: at('none'), TSBUILD_HOME: at('ci-home') };
    expect((await cli.run(['pull', name], { env })).status).toBe(7);
    await cli.ok(['pull', name], { env: { ...env, DOCKER_AUTH_CONFIG: auths() } });
  });

  test('are asked of a helper program', async () => {
    const helper = at('bin/docker-credential-test');
    put(
      'bin/docker-credential-test',
      `#!/bin/sh
read host; [ "$1 $host" = "get ${registry.host}" ] || exit 1
echo '{"Username":"${credentials.username}","Secret":"${credentials.password}"}'\n`,
    );
    chmodSync(helper, 0o755);
    put('helped/config.json', '{"credsStore":"test"}');
    const env = { DOCKER_CONFIG: at('helped'), PATH: `${at('bin')}:${process.env.PATH}` };
    await cli.ok(['pull', name], { env: { ...env, TSBUILD_HOME: at('helped-home') } });
  });
});

test('the proxy of the environment is used, but for hosts that are to be reached without', async () => {
  const registry = await startDockerRegistry();
  const asked: string[] = [];
  const proxy = createServer((request, response) => {
    asked.push(new URL(request.url!).host);
    const target = new URL(request.url!);
    const { port } = new URL(`http://${registry.host}`);
    const { method, headers } = request;
    const onward = httpRequest(
      { host: '127.0.0.1', port, path: target.pathname + target.search, method, headers },
      (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      },
    );
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    proxy.closeAllConnections();
    proxy.close();
    await registry[Symbol.asyncDispose]();
  });
  const { port } = proxy.address() as AddressInfo;
  put(
    'registries.json',
    '{"registries":{"registry.test":{"http":true},"direct.test":{"http":true}}}',
  );
  const env = {
    http_proxy: `http://127.0.0.1:${port}`,
    NO_PROXY: 'direct.test',
    TSBUILD_REGISTRIES: at('registries.json'),
  };
  await cli.ok(['build', '-t', 'registry.test/app:1', '--push', context], { env });
  expect(new Set(asked)).toEqual(new Set(['registry.test']));
  const direct = await cli.run(['pull', 'direct.test/app:1'], { env });
  expect(direct.stderr).toContain('host direct.test is not known');
});
