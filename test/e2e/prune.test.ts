import { existsSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { storeProblems, tempNames } from '../helpers/aftermath.ts';
import { type As, type Cli, createCli, eventually, giveTo } from '../helpers/cli.ts';

interface UsageRow {
  readonly type: string;
  readonly count: number;
  readonly size: number;
  readonly reclaimable: number;
}

const EMPTIED = [
  ...['build cache', 'cache mounts', 'downloads', 'known contexts'],
  ...['unused content', 'temporary files'],
];

/** A RUN of which the files belong to others: in the layer, in its unpacked form and in a cache mount. */
const OTHERS_FILES = `FROM busybox
RUN mkdir -p /data/private && dd if=/dev/zero of=/data/private/file bs=1M count=4 2>/dev/null \\
 && chown -R 1000:1000 /data && chmod 700 /data/private
RUN --mount=type=cache,target=/cache mkdir -p /cache/private && echo kept > /cache/private/file \\
 && chown -R 1000:1000 /cache/private && chmod -R 700 /cache/private && cat /data/private/file > /copy
`;

describe.each<[string, As]>([
  ['root', 'root'],
  ['an ordinary user', 'user'],
])('by %s, prune', (_, as) => {
  let cli: Cli;
  beforeAll(async () => {
    cli = createCli(as);
    await cli.base();
  });
  afterAll(() => cli[Symbol.asyncDispose]());

  const list = (...parts: string[]) => {
    const directory = join(cli.home, ...parts);
    return existsSync(directory) ? readdirSync(directory) : [];
  };
  const usage = async () => {
    const lines = (await cli.ok(['system', 'df', '--format', 'json'])).trim().split('\n');
    const rows = lines.map((line) => JSON.parse(line) as UsageRow);
    return (type: string) => rows.find((row) => row.type === type)!;
  };

  test('--all leaves named images alone, whoever owns the files that go', async () => {
    const context = cli.context({ Dockerfile: OTHERS_FILES });
    await cli.ok(['build', context]);
    await cli.ok(['build', '-t', 'kept', cli.context({ Dockerfile: 'FROM busybox\nRUN >/a\n' })]);
    // As if a build had been killed: its directory says that it was made before this machine was started.
    const abandoned = join(cli.home, 'tmp', '00000000-1-2-3-abandoned');
    mkdirSync(join(abandoned, 'trash'), { recursive: true });
    writeFileSync(join(abandoned, 'trash/file'), 'x'.repeat(1000));
    for (const path of [abandoned, join(abandoned, 'trash')]) giveTo(path, as);
    mkdirSync(join(cli.home, 'downloads'), { recursive: true });
    writeFileSync(join(cli.home, 'downloads/some'), 'x'.repeat(500));
    giveTo(join(cli.home, 'downloads'), as);
    const used = await usage();
    expect(used('downloads')).toEqual({ type: 'downloads', count: 1, size: 500, reclaimable: 500 });
    expect(used('images').reclaimable).toBeGreaterThan(8 << 20);
    expect(used('cache mounts')).toMatchObject({ count: 1 });
    expect(used('temporary files')).toMatchObject({ count: 1, reclaimable: 1000 });

    const { status, stdout, stderr } = await cli.run(['prune', '--all', '--force']);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Reclaimed [\d.]+ MB\n$/);

    expect([list('cache-mounts'), list('contexts'), tempNames(cli.home)]).toEqual([[], [], []]);
    expect(list('cache').flatMap((shard) => list('cache', shard))).toEqual([]);
    const left = await usage();
    expect(left('images').count).toBe(2);
    for (const type of EMPTIED)
      expect(left(type)).toEqual({ type, count: 0, size: 0, reclaimable: 0 });
    // Found out again at a cost by each build, and small.
    expect(left('known of the host')).toMatchObject({ reclaimable: 0 });
    expect(await storeProblems(cli.home)).toEqual([]);
    await cli.ok(['build', context]);
  });

  test('without it keeps what a build would ask for again', async () => {
    const context = cli.context({ Dockerfile: 'FROM busybox\nRUN echo unnamed > /file\n' });
    await cli.ok(['build', context]);
    await cli.ok(['prune']);
    const { stderr } = await cli.run(['build', '--progress=plain', context]);
    expect(stderr).toContain('CACHED');
    expect(stderr).not.toMatch(/RUN .*DONE/);
  });

  test('forgets steps that were not used for long, and what was made for them', async () => {
    const context = cli.context({ Dockerfile: `FROM busybox\nRUN echo ${as} old > /old\n` });
    await cli.ok(['build', context]);
    await cli.ok(['prune', '--all', '--filter', 'until=1h']);
    expect((await usage())('build cache').count).toBeGreaterThan(0);
    const longAgo = Date.now() / 1000 - 8 * 24 * 3600;
    for (const shard of list('cache'))
      for (const name of list('cache', shard))
        utimesSync(join(cli.home, 'cache', shard, name), longAgo, longAgo);
    await cli.ok(['build', cli.context({ Dockerfile: `FROM busybox\nRUN echo new > /new\n` })]);
    // Code of a tsbuild that was replaced.
    mkdirSync(join(cli.home, 'compiled'), { recursive: true });
    for (const name of ['old', 'young']) writeFileSync(join(cli.home, 'compiled', name), 'code');
    utimesSync(join(cli.home, 'compiled/old'), longAgo, longAgo);
    giveTo(join(cli.home, 'compiled'), as);
    expect((await usage())('compiled code').size).toBeGreaterThanOrEqual(8);
    await cli.ok(['prune']);
    expect((await usage())('build cache').count).toBe(1);
    expect(list('compiled')).not.toContain('old');
    expect(list('compiled')).toContain('young');
  });

  test('--keep-storage keeps the steps used last', async () => {
    // Megabytes for one step but not for two; without root, a layer is there as a tar and unpacked.
    const few = as === 'root' ? 8 : 14;
    const step = (name: string) => ({
      Dockerfile: `FROM busybox\nRUN head -c 6000000 /dev/urandom > /${name}\n`,
    });
    await cli.ok(['prune', '--all']);
    const old = cli.context(step('first'));
    const young = cli.context(step('second'));
    await cli.ok(['build', old]);
    await cli.ok(['build', young]);
    await cli.ok(['prune', '--keep-storage', '30m']);
    expect((await usage())('build cache').count).toBe(2);
    await cli.ok(['prune', '--keep-storage', `${few}m`]);
    expect((await usage())('build cache').count).toBe(1);
    const { stderr } = await cli.run(['build', '--progress=plain', young]);
    expect(stderr).toContain('CACHED');
    const { size } = (await usage())('build cache');
    expect(size).toBeLessThan(few << 20);
  });

  test.each([
    [['--filter', 'label=x'], 'is not until=AGE'],
    [['--filter', 'until=soon'], 'is not an age'],
    [['--keep-storage', 'little'], 'is not a size'],
  ])('%j is refused', async (args, says) => {
    const { status, stderr } = await cli.run(['prune', ...args]);
    expect(stderr).toContain(says);
    expect(status).toBe(2);
  });

  test('refuses while a container or a build runs, and takes nothing from under it', async () => {
    const marker = `${91_000 + process.pid}.${as === 'root' ? 1 : 2}`;
    const file = cli.context({});
    const child = cli.start(
      ['run', '--rm', '-v', `${file}:/end`, 'busybox', 'sh', '-c', waits(marker)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let output = '';
    child.stdout!.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    await eventually('the container runs', () => output.includes(marker));
    await cli.ok(['rmi', 'busybox']);
    const { status, stderr } = await cli.run(['prune', '--all']);
    expect(stderr).toContain('[CONFLICT]');
    expect(stderr).toContain('is in use');
    expect(status).toBe(11);
    writeFileSync(join(file, 'now'), '');
    const ended = await new Promise((resolve) => child.once('close', resolve));
    expect([ended, output]).toEqual([0, `${marker}\nended\n`]);
    await cli.ok(['prune', '--all']);
    expect(statSync(join(cli.home, 'content/index.json')).size).toBeGreaterThan(0);
  });
});

/** A script that ends when the file /end/now is there, and then needs its image once more. */
function waits(marker: string): string {
  return `echo ${marker}; while ! [ -e /end/now ]; do usleep 20000; done; /bin/busybox echo ended`;
}
