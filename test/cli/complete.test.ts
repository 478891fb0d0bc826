import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import yargs from 'yargs';
import { BUILD_FLAGS } from '../../src/cli/build-options.ts';
import { COMMANDS } from '../../src/cli/commands.ts';
import { complete } from '../../src/cli/complete.ts';
import { dispatch } from '../../src/cli/dispatch.ts';
import { openStore } from '../../src/store/store.ts';
import { fakeContext } from './context.ts';

let directory: string;
let env: Record<string, string>;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tsbuild-complete-'));
  env = { TSBUILD_HOME: join(directory, 'home') };
  mkdirSync(join(directory, 'app'));
  writeFileSync(
    join(directory, 'app', 'Dockerfile'),
    '# tests of all\nFROM scratch AS test\nFROM scratch AS final\nARG VERSION=1\nARG DEBUG\n',
  );
  writeFileSync(join(directory, 'app', 'other'), 'FROM scratch AS elsewhere\n');
  await nameImages(['docker.io/library/app:latest', 'localhost:5000/app:1']);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Names of an image without layers. */
async function nameImages(names: readonly string[]): Promise<void> {
  await dispatch(
    ['build', '-q', ...names.flatMap((name) => ['-t', name]), join(directory, 'app')],
    fakeContext(env),
  );
  expect(openStore(env.TSBUILD_HOME!).images().length).toBe(names.length);
}

async function texts(line: string): Promise<string[]> {
  return (await complete(line, env)).map(({ text }) => text);
}

describe('completion', () => {
  test.each<[string, string[]]>([
    ['tsbuild pu', ['pull', 'push']],
    ['tsbuild --debug pu', ['pull', 'push']],
    ['tsbuild help pu', ['pull', 'push']],
    ['tsbuild sys', ['system']],
    ['tsbuild system ', ['df']],
    ['tsbuild manifest in', ['inspect']],
    ['tsbuild pull', []],
    ['tsbuild nothing ', []],
    ['', []],
  ])('of %j offers the commands %j', async (line, names) => {
    expect(await texts(line)).toEqual(names);
  });

  test('at the beginning offers every command, by its first word', async () => {
    const words = new Set(COMMANDS.map(({ name }) => name.split(' ')[0]));
    expect(await texts('tsbuild ')).toEqual([...words]);
  });

  test.each(['tsbuild build --', 'tsbuild --', 'tsbuild -t app --'])(
    'of %j offers all flags of build, with what they do',
    async (line) => {
      const found = await complete(line, env);
      const flags = Object.entries(BUILD_FLAGS).map(([name, { help }]) => ({
        text: `--${name}`,
        about: help,
      }));
      expect(found).toEqual(expect.arrayContaining(flags));
      expect(found.length).toBe(flags.length + 2);
    },
  );

  test.each<[string, string[]]>([
    ['tsbuild build --progress p', ['plain']],
    ['tsbuild build --progress=p', ['--progress=plain']],
    ['tsbuild build -q --network h', ['host']],
    ['tsbuild build -qo type=d', ['type=docker,dest=']],
    ['tsbuild build -tqo --network n', ['none']],
    ['tsbuild save --format ', ['docker', 'oci']],
    ['tsbuild -o type=o', ['type=oci,dest=']],
    ['tsbuild --platform linux/arm', ['linux/arm64', 'linux/arm/v7']],
  ])('of %j offers the values %j', async (line, values) => {
    expect(await texts(line)).toEqual(values);
  });

  test.each<[string, string[]]>([
    ['tsbuild run a', ['app:latest']],
    ['tsbuild run --rm -it localhost:5', ['localhost:5000/app:1']],
    ['tsbuild tag app:latest ', ['localhost:5000/app:1']],
    ['tsbuild rmi app:latest l', ['localhost:5000/app:1']],
    ['tsbuild copy store:a', ['store:app:latest']],
    ['tsbuild build --tag=app', ['--tag=app:latest']],
  ])('of %j offers the images %j of the store', async (line, images) => {
    expect(await texts(line)).toEqual(images);
  });

  test('offers stages and arguments of the Dockerfile that is meant', async () => {
    const app = join(directory, 'app');
    const stages = await complete(`tsbuild build ${app} --target `, env);
    expect(stages.map(({ text }) => text)).toEqual(['test', 'final']);
    expect(await texts(`tsbuild ${app} -f ${app}/other --target=e`)).toEqual([
      '--target=elsewhere',
    ]);
    expect(await texts(`tsbuild ${app} --build-arg V`)).toEqual(['VERSION=']);
  });

  test.each([
    'tsbuild build ',
    'tsbuild build --file ',
    'tsbuild run app:latest ',
    'tsbuild run app:latest --',
    'tsbuild run app:latest tool --platform ',
    'tsbuild rmi -- --',
    'tsbuild build --no-such-flag x --target ',
    'tsbuild build /none --target ',
    'tsbuild build https://example.invalid/context.git --target ',
    'tsbuild build -f - . --target ',
    "tsbuild build --label 'a b",
  ])('of %j leaves it to the shell', async (line) => {
    expect(await texts(line)).toEqual([]);
  });

  test('does not depend on the shell that the person uses otherwise', async () => {
    vi.stubEnv('SHELL', '/usr/bin/fish');
    expect(await texts('tsbuild pu')).toEqual(['pull', 'push']);
    vi.stubEnv('SHELL', '/bin/zsh');
    expect(await texts('tsbuild build --pus')).toEqual(['--push']);
    vi.unstubAllEnvs();
  });
});

describe('yargs alone', () => {
  const parser = () =>
    yargs().help(false).version(false).option('tag', { alias: 't', type: 'string' });

  test('offers no flag twice, which is why repeatable ones are our own', async () => {
    expect(await parser().getCompletion(['-t', 'a', '--t'])).not.toContain('--tag');
    expect(await texts('tsbuild build -t a --ta')).toContain('--tag');
  });

  test('puts two dashes before a letter, which is why those are dropped', async () => {
    expect(await parser().getCompletion(['--'])).toContain('--t');
    expect(await texts('tsbuild build --')).not.toContain('--t');
    expect(await texts('tsbuild build -')).toContain('-t');
  });
});
