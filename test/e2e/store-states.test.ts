import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../../src/host/process.ts';
import { type Cli, createCli } from '../helpers/cli.ts';
import { type SmallDisk, smallDisk } from '../helpers/small-disk.ts';

let cli: Cli;
beforeAll(async () => {
  cli = createCli();
  await cli.base();
});
afterAll(() => cli[Symbol.asyncDispose]());

describe('a store that is read-only', () => {
  let disk: SmallDisk;
  let context: string;
  const there = async (...args: string[]) => {
    const command = [process.execPath, join(cli.directory, 'install/dist/tsbuild.cjs'), ...args];
    const [file, ...rest] = [...disk.enter, ...command] as [string, ...string[]];
    const { status, stdout, stderr } = await runCommand(file, rest, {
      cwd: cli.directory,
      env: { ...cli.environment, TSBUILD_HOME: join(disk.path, 'home') },
    });
    return { status, stdout: stdout.toString(), stderr: stderr.toString() };
  };
  beforeAll(async () => {
    disk = await smallDisk('size=32m,mode=755');
    context = cli.context({ Dockerfile: 'FROM scratch\nCOPY file /\n', file: 'a' });
    expect(await there('build', '-q', '-t', 'app', context)).toMatchObject({ status: 0 });
    disk.remount('ro');
  });
  afterAll(() => disk[Symbol.asyncDispose]());

  test.each([
    ['images', []],
    ['inspect', ['app']],
    ['history', ['app']],
    ['system', ['df']],
    ['save', ['-o', 'saved.tar', 'app']],
  ])('can be read: %s', async (command, args) => {
    expect(await there(command, ...args)).toMatchObject({ status: 0, stderr: '' });
  });

  test('answers a build in which nothing changed', async () => {
    const { status, stderr } = await there('build', '--progress=plain', '-t', 'app', context);
    expect(stderr).toContain('CACHED');
    expect(status, stderr).toBe(0);
  });

  test.each<[string, () => string[]]>([
    ['build', () => [cli.context({ Dockerfile: 'FROM scratch\nCOPY file /\n', file: 'other' })]],
    ['tag', () => ['app', 'new']],
    ['rmi', () => ['app']],
    ['prune', () => ['--all']],
  ])('cannot be written: %s', async (command, args) => {
    const { status, stderr } = await there(command, ...args());
    expect(stderr).toContain('[STORE]');
    expect(stderr).toContain('read-only');
    expect(status).toBe(9);
  });
});

describe('a store that', () => {
  const commands = (context: string): [string, ...string[]][] => [
    ['images'],
    ['build', '-q', context],
    ['tag', 'a', 'b'],
    ['prune'],
    ['system', 'df'],
    ['run', '--rm', 'a'],
  ];

  test('a newer version made is left alone', async () => {
    const home = join(cli.directory, 'newer');
    mkdirSync(home);
    writeFileSync(join(home, 'version'), '2\n');
    const context = cli.context({ Dockerfile: 'FROM scratch\nCOPY file /\n', file: 'a' });
    for (const [command, ...args] of commands(context)) {
      const { status, stderr } = await cli.run([command, ...args], { env: { TSBUILD_HOME: home } });
      expect(stderr).toContain('it has version "2", this tsbuild knows 1');
      expect(stderr).toContain('use a newer tsbuild');
      expect(status).toBe(command === 'run' ? 125 : 9);
    }
    expect(readdirSync(home)).toEqual(['version']);
  });

  test('cannot be one is told so, and stays as it is', async () => {
    const file = join(cli.directory, 'a-file');
    writeFileSync(file, 'text');
    const context = cli.context({ Dockerfile: 'FROM scratch\nCOPY file /\n', file: 'a' });
    for (const home of [file, join(file, 'below')]) {
      const { status, stderr } = await cli.run(['build', '-q', context], {
        env: { TSBUILD_HOME: home },
      });
      expect(stderr).toContain('[STORE]');
      expect(stderr).toContain(file);
      expect(status).toBe(9);
    }
    expect(readFileSync(file, 'utf8')).toBe('text');
  });

  test('is somebody else’s is told so', async () => {
    const home = join(cli.directory, 'theirs');
    await cli.ok(['build', '-q', '-t', 'a', join(cli.directory, 'base')], {
      env: { TSBUILD_HOME: home },
    });
    expect(statSync(home).mode & 0o777).toBe(0o700);
    await using user = createCli('user');
    // So that only the store itself is in the way.
    chmodSync(cli.directory, 0o755);
    const context = user.context({ Dockerfile: 'FROM scratch\nCOPY file /\n', file: 'a' });
    for (const [command, ...args] of commands(context)) {
      const { status, stderr } = await user.run([command, ...args], {
        env: { TSBUILD_HOME: home },
      });
      expect(stderr).toContain(home);
      expect(stderr).toContain('[STORE]');
      expect(stderr).toContain('check who owns the directory');
      expect(status).toBe(command === 'run' ? 125 : 9);
    }
  });

  test('lost its tags or its layers says what is wrong', async () => {
    const home = join(cli.directory, 'damaged');
    const env = { TSBUILD_HOME: home };
    await cli.ok(['build', '-q', '-t', 'a', join(cli.directory, 'base')], { env });
    const blobs = join(home, 'content/blobs/sha256');
    // As after a loss of power: the names are there, the bytes are not.
    for (const name of readdirSync(blobs)) writeFileSync(join(blobs, name), 'lost');
    const broken = await cli.run(['inspect', 'a'], { env });
    expect([broken.status, broken.stderr]).toEqual([
      8,
      expect.stringContaining('[DIGEST_MISMATCH]'),
    ]);
    // What is damaged is made again, although the cache has it.
    await cli.ok(['build', '-q', '-t', 'a', join(cli.directory, 'base')], { env });
    expect(await cli.ok(['run', '--rm', 'a', 'echo', 'whole'], { env })).toBe('whole\n');
    writeFileSync(join(home, 'content/index.json'), '{');
    const { status, stderr } = await cli.run(['images'], { env });
    expect(stderr).toContain('[MANIFEST]');
    expect(stderr).toContain('index.json');
    expect(status).toBe(8);
  });
});
