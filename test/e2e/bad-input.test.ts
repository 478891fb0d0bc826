import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cli, createCli, type FileTree } from '../helpers/cli.ts';

let cli: Cli;
beforeAll(async () => {
  cli = createCli();
  await cli.base();
});
afterAll(() => cli[Symbol.asyncDispose]());

interface Case {
  readonly what: string;
  readonly files: FileTree;
  readonly args?: readonly string[];
  readonly status: number;
  readonly code: string;
  /** All of these are in the message. */
  readonly says: readonly string[];
}

describe('a Dockerfile or context that is wrong', () => {
  test.each<Case>([
    {
      what: 'an unknown instruction',
      files: { Dockerfile: 'FROM busybox\nRUNN true\n' },
      status: 3,
      code: 'DOCKERFILE_PARSE',
      says: ['Dockerfile:2', 'RUNN true', 'RUN'],
    },
    {
      what: 'an unknown flag',
      files: { Dockerfile: 'FROM busybox\n\nCOPY --form=x a b\n' },
      status: 3,
      code: 'DOCKERFILE_PARSE',
      says: ['Dockerfile:3', 'form', 'from'],
    },
    {
      what: 'a missing argument',
      files: { Dockerfile: 'FROM busybox\nCOPY a\n' },
      status: 3,
      code: 'DOCKERFILE_PARSE',
      says: ['Dockerfile:2'],
    },
    {
      what: 'an empty Dockerfile',
      files: { Dockerfile: '\n# nothing\n' },
      status: 3,
      code: 'DOCKERFILE_PARSE',
      says: ['Dockerfile'],
    },
    {
      what: 'no FROM',
      files: { Dockerfile: 'RUN true\n' },
      status: 3,
      code: 'DOCKERFILE_PARSE',
      says: ['Dockerfile:1'],
    },
    {
      what: 'a stage that does not exist',
      files: { Dockerfile: 'FROM busybox AS one\nRUN true\n' },
      args: ['--target', 'two'],
      status: 3,
      code: 'DOCKERFILE_REFERENCE',
      says: ['two'],
    },
    {
      what: 'stages that need each other',
      files: {
        Dockerfile:
          'FROM busybox AS a\nCOPY --from=b /x /x\nFROM busybox AS b\nCOPY --from=a /x /x\n',
      },
      status: 3,
      code: 'DOCKERFILE_REFERENCE',
      says: ['Dockerfile:'],
    },
    {
      what: 'a missing file',
      files: { Dockerfile: 'FROM busybox\nCOPY no-such-file /\n' },
      status: 4,
      code: 'COPY_SOURCE',
      says: ['Dockerfile:2', 'no-such-file'],
    },
    {
      what: 'a file that .dockerignore leaves out',
      files: { Dockerfile: 'FROM busybox\nCOPY a /\n', '.dockerignore': 'a\n', a: '' },
      status: 4,
      code: 'COPY_SOURCE',
      says: ['.dockerignore'],
    },
    {
      what: 'a base image that is nowhere',
      files: { Dockerfile: 'FROM 127.0.0.1:1/nowhere:1\nRUN true\n' },
      status: 7,
      code: 'NETWORK',
      says: ['127.0.0.1:1'],
    },
    {
      what: 'a name that is no reference',
      files: { Dockerfile: 'FROM busybox\n' },
      args: ['-t', 'Not/A//Name'],
      status: 2,
      code: 'USAGE',
      says: ['Not/A//Name'],
    },
    {
      what: 'a platform that is none',
      files: { Dockerfile: 'FROM busybox\n' },
      args: ['--platform', 'li nux'],
      status: 6,
      code: 'PLATFORM',
      says: ['li nux'],
    },
    {
      what: 'a user that does not exist',
      files: { Dockerfile: 'FROM busybox\nUSER nobody-here\nRUN true\n' },
      status: 11,
      code: 'NOT_FOUND',
      says: ['nobody-here', 'Dockerfile:'],
    },
  ])('$what', async ({ files, args = [], status, code, says }) => {
    const result = await cli.run(['build', ...args, cli.context(files)]);
    expect(result.stdout).toBe('');
    for (const text of [`[${code}]`, ...says]) expect(result.stderr).toContain(text);
    expect(result.status).toBe(status);
  });

  test('a context that does not exist, or is a file', async () => {
    for (const context of ['no/such/directory', 'install/package.json']) {
      const { status, stderr } = await cli.run(['build', context]);
      expect(stderr).toContain('[CONTEXT]');
      expect(stderr).toContain(context);
      expect(status).toBe(4);
    }
  });

  test('a working directory that has been removed', async () => {
    const gone = cli.context({ Dockerfile: 'FROM busybox\n' });
    const command = join(cli.directory, 'install/dist/tsbuild.cjs');
    const script = 'rm -r "$PWD" && exec "$@"';
    const { stderr, status } = spawnSync(
      'sh',
      ['-c', script, 'sh', process.execPath, command, 'run', 'busybox'],
      { cwd: gone, env: cli.environment, encoding: 'utf8' },
    );
    expect(stderr).toContain('error: the working directory has been removed [NOT_FOUND]');
    expect(status).toBe(125);
  });

  test('a context without Dockerfile', async () => {
    const { status, stderr } = await cli.run(['build', cli.context({ a: 'a' })]);
    expect(stderr).toContain('Dockerfile');
    expect(status).toBe(4);
  });
});

describe('a COPY never leaves the context', () => {
  test.each([
    ['../secret', (_: string) => {}],
    ['link', (context: string) => symlinkSync(join('..', '..', 'secret'), join(context, 'link'))],
    ['dir/secret', (context: string) => symlinkSync(cli.directory, join(context, 'dir'))],
    ['loop/x', (context: string) => symlinkSync('loop', join(context, 'loop'))],
  ])('by way of %s', async (source, prepare) => {
    writeFileSync(join(cli.directory, 'secret'), 'SECRET');
    const context = cli.context({ Dockerfile: `FROM scratch\nCOPY ${source} /out/\n` });
    prepare(context);
    const { status } = await cli.run(['build', '-o', 'escaped', context]);
    const found = existsSync(join(cli.directory, 'escaped'))
      ? execFileSync('sh', ['-c', 'grep -r SECRET escaped || true'], {
          cwd: cli.directory,
          encoding: 'utf8',
        })
      : '';
    expect(found).toBe('');
    // A link that is copied as a link is no escape; what it points to is.
    if (source !== 'link') expect(status).toBe(4);
  });
});

describe('an archive that is hostile', () => {
  const noise = Buffer.from('pwned');

  test.each<[string, string]>([
    ['truncated', 'head -c 700 good.tar > bad.tar'],
    ['not an archive', 'head -c 4096 /dev/urandom > bad.tar'],
    [
      'with a wrong checksum',
      'cp good.tar bad.tar && printf X | dd of=bad.tar bs=1 seek=10 conv=notrunc 2>/dev/null',
    ],
    [
      'with a blob that is not what its name says',
      'mkdir w && tar xf good.tar -C w && for f in w/blobs/sha256/*; do echo x >> $f; done && tar cf bad.tar -C w .',
    ],
    [
      'with no index',
      'mkdir v && tar xf good.tar -C v && rm v/index.json v/manifest.json && tar cf bad.tar -C v .',
    ],
  ])('%s: is refused, and nothing is stored', async (_, make) => {
    const work = cli.context({});
    await cli.ok(['save', '-o', join(work, 'good.tar'), 'busybox']);
    execFileSync('sh', ['-c', make], { cwd: work });
    const env = { TSBUILD_HOME: join(work, 'home') };
    const { status, stderr } = await cli.run(['load', '-i', join(work, 'bad.tar')], { env });
    expect([8], stderr).toContain(status);
    expect(await cli.ok(['images', '-q'], { env })).toBe('');
    expect(existsSync(join(work, 'home/tmp')) ? readdirSync(join(work, 'home/tmp')) : []).toEqual(
      [],
    );
  });

  test('with ADD: names that leave the destination stay inside or are refused', async () => {
    const context = cli.context({ Dockerfile: 'FROM scratch\nADD evil.tar /in/\n' });
    mkdirSync(join(context, 'p'));
    writeFileSync(join(context, 'p', 'f'), noise);
    const tar = [
      '--transform',
      's,^f$,../../../../../../tmp/tsbuild-pwned,',
      '-P',
      '-cf',
      '../evil.tar',
      'f',
    ];
    execFileSync('tar', tar, { cwd: join(context, 'p') });
    await cli.run(['build', '-o', 'added', context]);
    expect(existsSync('/tmp/tsbuild-pwned')).toBe(false);
    expect(existsSync(join(cli.directory, 'tmp/tsbuild-pwned'))).toBe(false);
  });
});

describe('a command line that is wrong', () => {
  test.each<[string[], string]>([
    [['biuld', '.'], "did you mean 'tsbuild build'"],
    [['build', '--taag', 'x', '.'], 'did you mean --tag'],
    [['build'], "'tsbuild build' takes 1 argument, not 0"],
    [['build', '.', 'extra'], 'takes 1 argument, not 2'],
    [['build', '-f'], 'flag -f needs a value'],
    [['build', '-o', 'type=zip', '.'], 'unknown type "zip"'],
    [['push'], 'takes 1 argument'],
    [['tag', 'a'], 'takes 2 arguments'],
    [['login', '--password-stdin'], '--password-stdin needs --username'],
  ])('%j', async (args, says) => {
    const { status, stdout, stderr } = await cli.run(args);
    expect(stderr).toContain(says);
    expect(stderr).toContain('[USAGE]');
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });

  test('help goes to stdout with status 0, for every command', async () => {
    expect(await cli.ok([])).toMatch(/^Usage: tsbuild/);
    expect(await cli.ok(['build', '--help'])).toMatch(/^Usage: tsbuild build/);
    expect(await cli.ok(['system', 'df', '--help'])).toMatch(/^Usage: tsbuild system df/);
  });

  test('a pipe that closes early is no failure', async () => {
    const child = cli.start(['build', '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout!.destroy();
    let stderr = '';
    child.stderr!.on('data', (text) => {
      stderr += text;
    });
    const [status] = await once(child, 'close');
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});
