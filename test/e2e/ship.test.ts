import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type As, type Cli, createCli } from '../helpers/cli.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';

const credentials = { username: 'me', password: 'se:cret' };

let registry: DockerRegistry;
beforeAll(async () => {
  registry = await startDockerRegistry({ credentials });
});
afterAll(() => registry[Symbol.asyncDispose]());

describe.each<[string, As]>([
  ['root', 'root'],
  ['an ordinary user', 'user'],
])('by %s', (_, as) => {
  let cli: Cli;
  let name: string;
  beforeAll(async () => {
    cli = createCli(as);
    await cli.base();
    name = `${registry.host}/team/app-${as}:1`;
  });
  afterAll(() => cli[Symbol.asyncDispose]());

  const login = ['login', '-u', credentials.username, '--password-stdin'];

  test('an image goes to a registry and comes back into an empty store', async () => {
    const context = cli.context({
      Dockerfile: `FROM busybox
RUN echo built > /result && chmod 4711 /result
RUN rm -rf /root && mkdir /root && dd if=/dev/urandom of=/root/noise bs=1k count=64 2>/dev/null
CMD cat /result; stat -c %a /result; ls /root
`,
    });
    await cli.ok(['build', '-t', name, context]);
    await cli.ok([...login, registry.host], { stdin: credentials.password });
    const pushed = await cli.ok(['push', name]);
    expect(pushed).toMatch(new RegExp(`^${name}@sha256:[0-9a-f]{64}\n$`));
    rmSync(cli.home, { recursive: true });
    expect(await cli.ok(['pull', name])).toBe(`${name}\n`);
    expect(await cli.ok(['run', '--rm', name])).toBe('built\n4711\nnoise\n');
    // A pulled layer is sent on as it came: same digest, nothing uploaded.
    const again = await cli.run(['push', name]);
    expect(again.stdout).toBe(pushed);
  });

  test('skopeo reads what was pushed', () => {
    const creds = `${credentials.username}:${credentials.password}`;
    const args = ['inspect', '--tls-verify=false', '--creds', creds, `docker://${name}`];
    const image = JSON.parse(execFileSync('skopeo', args, { encoding: 'utf8' }));
    expect(image).toMatchObject({ Os: 'linux' });
  });

  test('a base image is pulled when the store lacks it, and run pulls too', async () => {
    const env = { TSBUILD_HOME: join(cli.directory, 'empty') };
    const context = cli.context({ Dockerfile: `FROM ${name}\nRUN test -u /result\n` });
    await cli.ok(['build', '-t', 'child', context], { env });
    rmSync(env.TSBUILD_HOME, { recursive: true });
    const { status, stdout, stderr } = await cli.run(['run', name, 'echo', 'ran'], { env });
    expect(stdout).toBe('ran\n');
    expect(stderr).toContain(name);
    expect(status).toBe(0);
  });

  test('--push builds and pushes, and says what was pushed in the metadata', async () => {
    const target = `${registry.host}/team/pushed-${as}:2`;
    const context = cli.context({ Dockerfile: 'FROM scratch\nCOPY f /f\n', f: 'f' });
    const flags = ['--progress=plain', '--metadata-file', 'm.json'];
    const { stderr } = await cli.run(['build', '--push', '-t', target, ...flags, context]);
    const metadata = JSON.parse(readFileSync(join(cli.directory, 'm.json'), 'utf8'));
    expect(stderr).toContain(`pushed ${target}@${metadata['containerimage.digest']}`);
    const env = { TSBUILD_HOME: join(cli.directory, 'pulled') };
    await cli.ok(['pull', `${target}@${metadata['containerimage.digest']}`], { env });
  });

  test('--all-tags and --platform choose what is pushed, and --format what is shown', async () => {
    const repository = `${registry.host}/team/tags-${as}`;
    const context = cli.context({
      Dockerfile: 'FROM scratch\nARG TARGETARCH\nCOPY f /f\nENV A=b\n',
      f: 'f',
    });
    const platforms = ['--platform', 'linux/amd64,linux/arm64', '--provenance=false'];
    const tags = ['-t', `${repository}:1`, '-t', `${repository}:2`];
    await cli.ok(['build', ...platforms, ...tags, context]);
    const pushed = await cli.ok(['push', '-a', repository]);
    expect(pushed.split('\n').map((line) => line.split('@')[0])).toEqual([
      `${repository}:1`,
      `${repository}:2`,
      '',
    ]);
    expect((await cli.run(['push', '-a', `${repository}:1`])).status).toBe(2);
    await cli.ok(['tag', `${repository}:1`, `${repository}:arm`]);
    await cli.ok(['push', '--platform', 'linux/arm64', `${repository}:arm`]);
    const manifest = JSON.parse(await cli.ok(['manifest', 'inspect', `${repository}:arm`]));
    expect(manifest.mediaType).toContain('image.manifest');
    const listed = await cli.ok(['images', '--format', '{{.Repository}} {{.Tag}}', repository]);
    expect(new Set(listed.trim().split('\n'))).toEqual(
      new Set(['1', '2', 'arm'].map((tag) => `${repository} ${tag}`)),
    );
    expect(await cli.ok(['images', '-q', '-f', 'dangling=true', repository])).toBe('');
    expect(await cli.ok(['inspect', '-f', '{{json .Config.Env}}', `${repository}:1`])).toContain(
      '"A=b"',
    );
    const history = await cli.ok(['history', '--format', '{{.CreatedBy}}', `${repository}:1`]);
    expect(history).toContain('COPY f /f');
  });

  test('login refuses wrong credentials and stores none; logout forgets', async () => {
    const env = { DOCKER_CONFIG: join(cli.directory, 'other-config') };
    const wrong = await cli.run([...login, registry.host], { stdin: 'wrong', env });
    expect(wrong.status).toBe(7);
    expect(wrong.stderr).toContain('[REGISTRY_AUTH]');
    expect(wrong.stderr).not.toContain('wrong');
    const denied = await cli.run(['pull', name], { env });
    expect(denied.status).toBe(7);
    await cli.ok([...login, registry.host], { stdin: `${credentials.password}\n`, env });
    await cli.ok(['pull', name], { env });
    await cli.ok(['logout', registry.host], { env });
    expect((await cli.run(['pull', name], { env })).status).toBe(7);
  });

  test('a registry that is not there is a network error that names it', async () => {
    const { status, stderr } = await cli.run(['pull', '127.0.0.1:1/app']);
    expect(status).toBe(7);
    expect(stderr).toContain('127.0.0.1:1');
    expect(stderr).toContain('[NETWORK]');
  });

  test('an image that the registry does not have is not found', async () => {
    const { status, stderr } = await cli.run(['pull', `${registry.host}/team/none:9`]);
    expect(stderr).toContain('[IMAGE_NOT_FOUND]');
    expect(status).toBe(6);
  });
});
