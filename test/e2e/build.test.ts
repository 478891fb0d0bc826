import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type As, type Cli, createCli } from '../helpers/cli.ts';

describe.each<[string, As]>([
  ['root', 'root'],
  ['an ordinary user', 'user'],
])('a build by %s', (_, as) => {
  let cli: Cli;
  beforeAll(async () => {
    cli = createCli(as);
    await cli.base();
  });
  afterAll(() => cli[Symbol.asyncDispose]());

  test('runs steps of several stages and gives an image that runs', async () => {
    const context = cli.context({
      Dockerfile: `FROM busybox AS build
WORKDIR /src
COPY message.txt .
RUN tr a-z A-Z < message.txt > loud.txt
FROM busybox
COPY --from=build --chown=1000:1000 /src/loud.txt /loud.txt
ENV PUNCTUATION=!
CMD cat /loud.txt && stat -c %u:%g /loud.txt && echo $PUNCTUATION
`,
      'message.txt': 'hello\n',
    });
    await cli.ok(['build', '-t', 'app', context]);
    expect(await cli.ok(['run', '--rm', 'app'])).toBe('HELLO\n1000:1000\n!\n');
  });

  test('sees what a step leaves: modes, links, special files, deletions', async () => {
    const context = cli.context({
      Dockerfile: `FROM busybox
RUN mkdir -p /d/sub && echo 1 > /d/a && echo 2 > /d/sub/b && ln -s a /d/link && ln /d/a /d/hard && mkfifo /d/fifo
RUN chmod 4755 /d/a && rm -r /d/sub && mkdir /d/sub && echo 3 > /d/sub/c && rm /d/link
RUN test ! -e /d/sub/b && test ! -e /d/link && test -p /d/fifo && test -u /d/a && test "$(cat /d/hard)" = 1
CMD ls /d /d/sub
`,
    });
    await cli.ok(['build', '-t', 'files', context]);
    expect(await cli.ok(['run', '--rm', 'files'])).toBe('/d:\na\nfifo\nhard\nsub\n\n/d/sub:\nc\n');
  });

  test('runs steps as the user and in the directory that were set', async () => {
    const context = cli.context({
      Dockerfile: `FROM busybox
USER app
WORKDIR /home/app
RUN id -u > /tmp/who && pwd >> /tmp/who
USER root
RUN cat /tmp/who
CMD cat /tmp/who
`,
    });
    await cli.ok(['build', '-t', 'who', context]);
    expect(await cli.ok(['run', '--rm', 'who'])).toBe('1000\n/home/app\n');
  });

  test('gives its steps name resolution that stays out of the image', async () => {
    const context = cli.context({
      Dockerfile: `FROM busybox
RUN test -s /etc/resolv.conf && grep -q localhost /etc/hosts && grep -q '10.9.8.7.*db' /etc/hosts
RUN --network=none test "$(ls /sys/class/net)" = lo
`,
    });
    await cli.ok([
      'build',
      '-t',
      'net',
      '--add-host',
      'db:10.9.8.7',
      '-o',
      'type=local,dest=net',
      context,
    ]);
    expect(existsSync(join(cli.directory, 'net/bin/busybox'))).toBe(true);
    expect(existsSync(join(cli.directory, 'net/etc/resolv.conf'))).toBe(false);
  });

  test('closes stdin of its steps, and shows their output with the step’s number', async () => {
    const context = cli.context({
      Dockerfile: 'FROM busybox\nRUN cat; echo "to stdout"; echo "to stderr" >&2\n',
    });
    const { status, stdout, stderr } = await cli.run(['build', context], { stdin: 'ours' });
    expect(status).toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^#\d+ to stdout$/m);
    expect(stderr).toMatch(/^#\d+ to stderr$/m);
    expect(stderr).not.toContain('ours');
  });

  test('that fails in a RUN shows status, last lines, place and source', async () => {
    const context = cli.context({
      Dockerfile: 'FROM busybox\n\nRUN echo before && \\\n    sh -c "echo broken >&2; exit 42"\n',
    });
    const { status, stderr } = await cli.run(['build', '-q', '-t', 'failed', context]);
    expect(status).toBe(5);
    expect(stderr).toContain('42');
    expect(stderr).toContain('[RUN_FAILED]');
    expect(stderr).toMatch(/--> .*Dockerfile:3\n/);
    expect(stderr).toContain('RUN echo before');
    expect(stderr).toMatch(/\| before\n\s*\| broken\n/);
    expect(await cli.ok(['images', 'failed', '-q'])).toBe('');
  });

  test('builds only the stages that the target needs, independent ones at once', async () => {
    const context = cli.context({
      Dockerfile: `FROM busybox AS a
RUN for i in 1 2 3 4 5 6 7 8 9 10; do echo a; sleep 0.1; done; echo a > /a
FROM busybox AS b
RUN for i in 1 2 3 4 5 6 7 8 9 10; do echo b; sleep 0.1; done; echo b > /b
FROM busybox AS broken
RUN false
FROM busybox
COPY --from=a /a /
COPY --from=b /b /
`,
    });
    const { status, stderr } = await cli.run(['build', '--progress=plain', context]);
    expect(stderr).not.toContain('broken');
    expect(status).toBe(0);
    // Output of the two is interleaved: each printed before the other had ended.
    const lines = stderr.split('\n').filter((line) => /^#\d+ [ab]$/.test(line));
    const letters = lines.map((line) => line.at(-1)).join('');
    expect(letters).toMatch(/a.*b.*a/);
    expect(letters).toMatch(/b.*a.*b/);
  });
});

describe('files that scripts read', () => {
  let cli: Cli;
  beforeAll(() => {
    cli = createCli();
  });
  afterAll(() => cli[Symbol.asyncDispose]());

  const files = { Dockerfile: 'FROM scratch\nCOPY a /a\n', a: 'a' };

  test('-q prints the image id and nothing else', async () => {
    const { status, stdout, stderr } = await cli.run([
      'build',
      '-q',
      '-t',
      'q',
      cli.context(files),
    ]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    expect(stderr).toBe('');
    const [details] = JSON.parse(await cli.ok(['inspect', 'q']));
    expect(details.Id).toBe(stdout.trim());
  });

  test('--iidfile and --metadata-file have the shape of buildx', async () => {
    await cli.ok([
      'build',
      '-t',
      'meta',
      '--iidfile',
      'iid',
      '--metadata-file',
      'meta.json',
      cli.context(files),
    ]);
    const id = readFileSync(join(cli.directory, 'iid'), 'utf8');
    const metadata = JSON.parse(readFileSync(join(cli.directory, 'meta.json'), 'utf8'));
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(metadata).toMatchObject({
      'containerimage.config.digest': id,
      'containerimage.digest': expect.stringMatching(/^sha256:/),
      'containerimage.descriptor': {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: metadata['containerimage.digest'],
        size: expect.any(Number),
      },
      'image.name': 'docker.io/library/meta:latest',
    });
  });

  test('--progress=json writes nothing but lines of JSON, the error included', async () => {
    const good = await cli.run(['build', '--progress=json', cli.context(files)]);
    const events = good.stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events[0]).toMatchObject({ type: 'version', version: 1 });
    expect(events.at(-1)).toMatchObject({ type: 'result' });
    const bad = await cli.run([
      'build',
      '--progress=json',
      cli.context({ Dockerfile: 'FROM scratch\nCOPY x /\n' }),
    ]);
    const last = bad.stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
      .at(-1);
    expect(last).toMatchObject({ type: 'error', code: 'COPY_SOURCE' });
  });

  test('the same inputs give the same digests in another store at another time', async () => {
    const env = { SOURCE_DATE_EPOCH: '1700000000' };
    const digestIn = async (home: string) => {
      const call = { env: { ...env, TSBUILD_HOME: join(cli.directory, home) } };
      await cli.ok(['build', '--metadata-file', `${home}.json`, cli.context(files)], call);
      return JSON.parse(readFileSync(join(cli.directory, `${home}.json`), 'utf8'))[
        'containerimage.digest'
      ];
    };
    expect(await digestIn('one')).toBe(await digestIn('two'));
  });

  test('a Dockerfile comes from stdin, from outside the context, or under another name', async () => {
    const context = cli.context({ a: 'a', 'other.Dockerfile': 'FROM scratch\nCOPY a /other\n' });
    const outside = cli.context({ D: 'FROM scratch\nCOPY a /outside\n' });
    await cli.ok(['build', '-f', '-', '-o', 'o1', context], {
      stdin: 'FROM scratch\nCOPY a /stdin\n',
    });
    await cli.ok(['build', '-f', join(outside, 'D'), '-o', 'o2', context]);
    await cli.ok(['build', '-f', join(context, 'other.Dockerfile'), '-o', 'o3', context]);
    await cli.ok(['build', '-o', 'o4', '-'], { stdin: 'FROM scratch\nCOPY <<E /text\nhi\nE\n' });
    expect(
      ['o1/stdin', 'o2/outside', 'o3/other', 'o4/text'].map((path) =>
        existsSync(join(cli.directory, path)),
      ),
    ).toEqual([true, true, true, true]);
  });
});
