/** Packages that the bundle keeps apart are there for what needs them, and cost nothing where nothing does. */
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cli, createCli } from '../helpers/cli.ts';

let cli: Cli;
let spy: string;
beforeAll(() => {
  cli = createCli();
  spy = join(cli.directory, 'spy.cjs');
  writeFileSync(
    spy,
    "process.on('exit', () => process.stderr.write(`loaded ${Object.keys(require.cache).join(' ')}\\n`));",
  );
});
afterAll(() => cli[Symbol.asyncDispose]());

/** Names of the files that Node has loaded as modules by the end, the entries and the spy left out. */
async function loaded(...args: string[]): Promise<{ status: number | null; names: string[] }> {
  const { status, stderr } = await cli.run(args, { env: { NODE_OPTIONS: `--require ${spy}` } });
  const files = /^loaded (.*)$/m
    .exec(stderr)![1]!
    .split(' ')
    .map((file) => basename(file));
  const usual = ['spy.cjs', 'tsbuild.cjs', 'main.cjs'];
  return { status, names: files.filter((file) => !usual.includes(file)) };
}

test('a build in which nothing changed loads none of them', async () => {
  const context = cli.context({ Dockerfile: 'FROM scratch\nCOPY a /\n', a: 'x' });
  await cli.ok(['-q', '-t', 'x', context]);
  expect(await loaded('-q', '-t', 'x', context)).toEqual({ status: 0, names: [] });
  expect(await loaded('images')).toEqual({ status: 0, names: [] });
});

test('completion loads yargs', async () => {
  expect(await loaded('completion', 'bash', '--line', 'tsbuild pu')).toEqual({
    status: 0,
    names: ['yargs.cjs'],
  });
});

test('save loads tar-stream', async () => {
  const context = cli.context({ Dockerfile: 'FROM scratch\nCOPY a /\n', a: 'x' });
  await cli.ok(['-q', '-t', 'x', context]);
  const file = join(cli.directory, 'x.tar');
  expect(await loaded('save', '-o', file, 'x')).toEqual({ status: 0, names: ['tar-stream.cjs'] });
});

test('a COPY whose source is elsewhere says where, by fast-glob', async () => {
  const context = cli.context({
    Dockerfile: 'FROM scratch\nCOPY package.json /\n',
    'src/app/package.json': '{}',
    'node_modules/x/package.json': '{}',
  });
  const { status, stderr } = await cli.run(['-q', context]);
  expect(stderr).toContain('"/package.json": not found');
  expect(stderr).toContain('Did you mean src/app/package.json?');
  expect((await loaded('-q', context)).names).toEqual(['fast-glob.cjs']);
  expect(status).toBeGreaterThan(0);
});

test('what zlib-sync inflates is the same where it could not be compiled', async () => {
  const file = join(cli.directory, 'layers.tar');
  const content = randomBytes(1_500_000).toString('base64');
  const context = cli.context({ Dockerfile: 'FROM scratch\nCOPY a /\n', a: content });
  await cli.ok(['-q', '-t', 'large', '-o', `type=oci,dest=${file},compression=gzip`, context]);
  const load = async (home: string) => {
    const env = { TSBUILD_HOME: join(cli.directory, home) };
    await cli.ok(['load', '-qi', file], { env });
    return JSON.parse(await cli.ok(['inspect', 'large'], { env }))[0].RootFS;
  };
  const found = await load('with');
  expect(found.Layers).toHaveLength(1);
  rmSync(join(cli.directory, 'install', 'node_modules', 'zlib-sync'), { recursive: true });
  expect(await load('without')).toEqual(found);
});
