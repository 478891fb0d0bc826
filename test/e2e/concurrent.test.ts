import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { storeProblems, tempNames, untilQuiet } from '../helpers/aftermath.ts';
import { type As, type Cli, type CliResult, createCli, type FileTree } from '../helpers/cli.ts';

const times = <T>(count: number, make: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at));

/** Everything that writes a store: layers of COPY and RUN, two stages, a cache mount that all share. */
const files = (what: string): FileTree => ({
  Dockerfile: `FROM busybox AS made
COPY file /file
RUN --mount=type=cache,target=/cache,id=shared,sharing=locked \\
    echo x >> /cache/count && cat /file > /made && echo ${what} >> /made
FROM busybox
COPY --from=made /made /made
RUN cat /made > /last
`,
  file: `content of ${what}`,
});

describe.each<[string, As]>([
  ['root', 'root'],
  ['an ordinary user', 'user'],
])('by %s, at once on one store', (_, as) => {
  let cli: Cli;
  beforeAll(async () => {
    cli = createCli(as);
    await cli.base();
  });
  afterAll(() => cli[Symbol.asyncDispose]());

  async function expectAllWell(results: readonly CliResult[]): Promise<void> {
    expect(results.map(({ status, stderr }) => (status === 0 ? 0 : stderr))).toEqual(
      results.map(() => 0),
    );
    await untilQuiet(cli);
    expect(tempNames(cli.home)).toEqual([]);
    expect(await storeProblems(cli.home)).toEqual([]);
  }

  test.each([2, 8])('%d builds of one Dockerfile all make the image', async (count) => {
    const context = cli.context(files(`one of ${count}`));
    const results = await Promise.all(
      times(count, (at) => cli.run(['build', '-q', '-t', `same-${count}:${at}`, context])),
    );
    await expectAllWell(results);
    const names = times(count, (at) => `same-${count}:${at}`);
    const images = JSON.parse(await cli.ok(['inspect', ...names])) as {
      RootFS: { Layers: string[] };
    }[];
    expect(images).toHaveLength(count);
    const last = await cli.ok(['run', '--rm', names.at(-1)!, 'cat', '/last']);
    expect(last).toBe(`content of one of ${count}one of ${count}\n`);
  });

  test('8 builds of different Dockerfiles, in a store that is not there yet', async () => {
    const home = join(cli.directory, 'fresh');
    const env = { TSBUILD_HOME: home };
    const contexts = times(8, (at) =>
      cli.context({ Dockerfile: 'FROM scratch\nCOPY file /\n', file: `${at}` }),
    );
    const results = await Promise.all(
      contexts.map((context, at) => cli.run(['build', '-q', '-t', `new:${at}`, context], { env })),
    );
    expect(results.map(({ stderr }) => stderr)).toEqual(times(8, () => ''));
    expect(new Set(results.map(({ stdout }) => stdout)).size).toBe(8);
    expect(await storeProblems(home)).toEqual([]);
    const listed = (await cli.ok(['images', '-q'], { env })).trim().split('\n');
    expect(listed).toHaveLength(8);
    expect(tempNames(home)).toEqual([]);
  });

  test('builds, and prunes all the while: no build loses what it needs', async () => {
    const contexts = times(4, (at) => cli.context(files(`pruned ${at}`)));
    let building = true;
    const pruning = (async () => {
      const ends: (number | null)[] = [];
      while (building) ends.push((await cli.run(['prune', '--all'])).status);
      return ends;
    })();
    const results: CliResult[] = [];
    for (const round of [1, 2]) {
      results.push(
        ...(await Promise.all(
          contexts.map((context, at) =>
            cli.run(['build', '-q', '-t', `kept:${at}-${round}`, context]),
          ),
        )),
      );
    }
    building = false;
    const ends = await pruning;
    await expectAllWell(results);
    // It either had the store for itself, or said that it had not.
    expect(ends.filter((status) => status !== 0 && status !== 11)).toEqual([]);
    await cli.ok(['prune', '--all']);
    expect(await storeProblems(cli.home)).toEqual([]);
  });

  test('names that are given and taken are all right in the end', async () => {
    const give = times(8, (at) => cli.run(['tag', 'busybox', `raced:${at}`]));
    const lists = times(4, () => cli.run(['images']));
    const take = times(4, (at) => cli.run(['rmi', '-f', `raced:${at}`]));
    const prune = cli.run(['prune']);
    await expectAllWell(await Promise.all([...give, ...lists, ...take]));
    expect([0, 11]).toContain((await prune).status);
    const names = await cli.ok(['images']);
    for (const at of [4, 5, 6, 7]) expect(names).toMatch(new RegExp(`raced:${at} `));
    await Promise.all(times(4, (at) => cli.run(['rmi', '-f', `raced:${at}`])));
    expect(await cli.ok(['images'])).not.toMatch(/raced:[0-3] /);
  });

  test('a name that two builds give is one of theirs', async () => {
    const contexts = ['a', 'b'].map((what) =>
      cli.context({ Dockerfile: 'FROM scratch\nCOPY file /\n', file: what }),
    );
    const results = await Promise.all(
      contexts.map((context) => cli.run(['build', '-q', '-t', 'contested', context])),
    );
    await expectAllWell(results);
    const listed = (await cli.ok(['images', '-q', 'contested'])).trim().split('\n');
    expect(listed).toHaveLength(1);
  });

  test('a locked cache mount lost nothing', async () => {
    await cli.ok(['prune', '--all']);
    const contexts = times(4, (at) => cli.context(files(`counted ${at}`)));
    await expectAllWell(
      await Promise.all(contexts.map((context) => cli.run(['build', '-q', context]))),
    );
    const mounts = readdirSync(join(cli.home, 'cache-mounts')).filter(
      (name) => !name.endsWith('.lock'),
    );
    expect(mounts).toHaveLength(1);
    const count = join(cli.home, 'cache-mounts', mounts[0]!, 'count');
    expect(execFileSync('cat', [count], { encoding: 'utf8' })).toBe('x\n'.repeat(4));
  });
});
