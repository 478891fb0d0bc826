import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type As, type Cli, createCli, eventually } from '../helpers/cli.ts';

/** No word of any language, so that finding it means that it leaked. */
const SECRET = 'zq7-secret-vx93';

describe.each<As>(['root', 'user'])('mounts of RUN, as %s', (as) => {
  let cli: Cli;
  beforeAll(async () => {
    cli = createCli(as);
    await cli.base();
  });
  afterAll(() => cli[Symbol.asyncDispose]());

  const build = (
    lines: readonly string[],
    files: Record<string, string> = {},
    args: readonly string[] = [],
  ) =>
    cli.run([
      'build',
      '--progress=plain',
      ...args,
      cli.context({ Dockerfile: ['FROM busybox', ...lines].join('\n'), ...files }),
    ]);

  test('a secret is there for the step, and afterwards in no layer, record, log or error', async () => {
    const context = cli.context({ secret: SECRET });
    const lines = [
      'RUN --mount=type=secret,id=s test "$(wc -c < /run/secrets/s)" = 15',
      'RUN --mount=type=secret,id=s,env=TOKEN test ${#TOKEN} = 15',
      'RUN --mount=type=secret,id=s cat /run/secrets/s >&2; false',
    ];
    const { status, stdout, stderr } = await build(lines, {}, [
      '--secret',
      `id=s,src=${join(context, 'secret')}`,
    ]);
    expect(status).toBe(5);
    // The step itself printed it, once, and that is its own business; the error shows the line without it.
    expect(stderr).toContain('***');
    expect(stdout).not.toContain(SECRET);
    expect(filesWith(cli.home, SECRET)).toEqual([]);
  });

  test('a secret that was not given is left out, or refused where it is required', async () => {
    expect((await build(['RUN --mount=type=secret,id=x test ! -e /run/secrets/x'])).status).toBe(0);
    expect(
      (await build(['RUN --mount=type=secret,id=x,env=X test "${X-unset}" = ""'])).status,
    ).toBe(0);
    const refused = await build(['RUN --mount=type=secret,id=x,required true']);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('--secret id=x');
  });

  test('a cache outlives the build, with its owner and mode, and stays out of the layer', async () => {
    const mount = '--mount=type=cache,id=e2e,target=/cache,mode=0750,uid=7,gid=8';
    const first = await build([`RUN ${mount} ls -ldn /cache; echo kept > /cache/file`]);
    expect(first.stderr).toMatch(/drwxr-x--- +2 7 +8 /);
    const second = await build([`RUN ${mount} cat /cache/file`, 'RUN test ! -e /cache/file']);
    expect(second.stderr).toContain('kept');
    expect(second.status).toBe(0);
  });

  test('a cache can begin with the files of a stage', async () => {
    const lines = [
      'RUN mkdir /s && echo seed > /s/file',
      'FROM busybox',
      'RUN --mount=type=cache,from=0,source=/s,target=/c cat /c/file',
    ];
    // Mounts find stages by name alone.
    const named = lines.map((line) => line.replace('from=0', 'from=seed'));
    const { status, stderr } = await cli.run([
      'build',
      cli.context({ Dockerfile: ['FROM busybox AS seed', ...named].join('\n') }),
    ]);
    expect(stderr).toContain('seed');
    expect(status).toBe(0);
  });

  test('what is written to a bind mount is dropped, and its source is part of the key', async () => {
    const lines = [
      'RUN --mount=type=bind,target=/ctx,rw cat /ctx/file && echo x > /ctx/new',
      'RUN test ! -e /ctx/new',
    ];
    expect((await build(lines, { file: 'one' })).status).toBe(0);
    expect((await build(lines, { file: 'one' })).stderr).toContain('2 of 2 steps cached');
    expect((await build(lines, { file: 'two' })).stderr).toContain('mounts changed');
  });

  test('keys of --ssh are offered by an agent that ends with the build', async () => {
    const directory = cli.context({});
    const key = join(directory, 'key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    if (as === 'user') execFileSync('chown', ['-R', 'tsbuild-test', directory]);
    const step = [
      'RUN --mount=type=ssh,required test -S "$SSH_AUTH_SOCK"',
      'RUN --mount=type=ssh,id=none --mount=type=ssh,mode=0666,uid=5 test "$SSH_AUTH_SOCK" = /run/buildkit/ssh_agent.0 && test "$(stat -c %a:%u /run/buildkit/ssh_agent.1)" = 666:5',
    ];
    expect((await build(step, {}, ['--ssh', `default=${key}`])).status).toBe(0);
    await eventually('the agent has ended', () => cli.processes().length === 0);
  });

  test('no agent is forwarded that was not asked for', async () => {
    const { status } = await cli.run(
      [
        'build',
        cli.context({
          Dockerfile: 'FROM busybox\nRUN --mount=type=ssh test ! -e "${SSH_AUTH_SOCK:?}"',
        }),
      ],
      { env: { SSH_AUTH_SOCK: '/nonexistent' } },
    );
    expect(status).toBe(0);
  });
});

function filesWith(directory: string, text: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => readFileSync(file).includes(text));
}
