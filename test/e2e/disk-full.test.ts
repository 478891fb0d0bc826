import { randomBytes } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { runCommand } from '../../src/host/process.ts';
import { damagedBlobs, imageProblems, tempNames } from '../helpers/aftermath.ts';
import { type Cli, createCli } from '../helpers/cli.ts';
import { type FakeRegistry, startFakeRegistry } from '../helpers/registry.ts';
import { type SmallDisk, smallDisk } from '../helpers/small-disk.ts';

/** More than a small disk can take, and not to be squeezed. */
const MUCH = 12 << 20;
const much = randomBytes(MUCH);

let cli: Cli;
let registry: FakeRegistry;
let disk: SmallDisk;
beforeAll(async () => {
  cli = createCli();
  registry = await startFakeRegistry();
  await cli.base();
  const context = cli.context({ Dockerfile: 'FROM scratch\nCOPY much /\n' });
  writeFileSync(join(context, 'much'), much);
  await cli.ok(['build', '-t', `${registry.host}/much`, context]);
  await cli.ok(['push', `${registry.host}/much`]);
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await cli[Symbol.asyncDispose]();
});
beforeEach(async () => {
  disk = await smallDisk('size=16m,mode=755');
});
afterEach(() => disk[Symbol.asyncDispose]());

/** The command as it is on the small disk, where its store is, too. */
async function there(args: readonly string[], home = join(disk.path, 'home')) {
  const command = [process.execPath, join(cli.directory, 'install/dist/tsbuild.cjs'), ...args];
  const [file, ...rest] = [...disk.enter, ...command] as [string, ...string[]];
  const { status, stdout, stderr } = await runCommand(file, rest, {
    cwd: cli.directory,
    env: { ...cli.environment, TSBUILD_HOME: home },
  });
  return { status, stdout: stdout.toString(), stderr: stderr.toString() };
}

async function ok(args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await there(args);
  expect(status, `${args.join(' ')}: ${stderr}`).toBe(0);
  return stdout;
}

/** It fails for lack of space, leaves nothing half-written, and works when there is space. */
async function expectRecovery(args: readonly string[], before = ''): Promise<void> {
  const home = join(disk.seen, 'home');
  const { status, stdout, stderr } = await there(args);
  expect(stderr).toContain('[DISK_FULL]');
  expect(stderr).toContain('tsbuild prune');
  expect([status, stdout]).toEqual([9, '']);
  expect(tempNames(home)).toEqual([]);
  expect(damagedBlobs(home)).toEqual([]);
  expect(await imageProblems(home)).toEqual([]);
  expect(await ok(['images', '-q'])).toBe(before);
  disk.remount('size=64m');
  await ok(args);
  expect(await imageProblems(home)).toEqual([]);
  expect(tempNames(home)).toEqual([]);
}

test('a COPY that does not fit', async () => {
  const context = cli.context({ Dockerfile: 'FROM scratch\nCOPY a b /\n' });
  for (const name of ['a', 'b']) writeFileSync(join(context, name), much);
  await expectRecovery(['build', '-q', '-t', 'app', context]);
});

test.each([
  ['at once', 9_000_000, 'size=16m'],
  ['in parts', 18_000_000, 'size=32m'],
])('a RUN of which the layer, written %s, does not fit', async (_, bytes, size) => {
  disk.remount(size);
  await ok(['build', '-q', '-t', 'busybox', join(cli.directory, 'base')]);
  const before = await ok(['images', '-q']);
  const script = `head -c ${bytes} /dev/urandom > /noise`;
  const context = cli.context({ Dockerfile: `FROM busybox\nRUN ${script}\n` });
  await expectRecovery(['build', '-q', '-t', 'app', context], before);
});

test('a RUN that fills the disk by itself fails as its command does', async () => {
  await ok(['build', '-q', '-t', 'busybox', join(cli.directory, 'base')]);
  const context = cli.context({
    Dockerfile: 'FROM busybox\nRUN dd if=/dev/zero of=/noise bs=1M\n',
  });
  const { status, stderr } = await there(['build', '-q', context]);
  expect(stderr).toContain('No space left on device');
  expect(stderr).toContain('[RUN_FAILED]');
  expect(status).toBe(5);
  const home = join(disk.seen, 'home');
  expect(tempNames(home)).toEqual([]);
  await ok(['build', '-q', cli.context({ Dockerfile: 'FROM busybox\nRUN true\n' })]);
});

test('a pull that does not fit', async () => {
  await expectRecovery(['pull', '-q', `${registry.host}/much`]);
});

test('a load that does not fit', async () => {
  const archive = join(cli.directory, 'much.tar');
  await cli.ok(['save', '-o', archive, `${registry.host}/much`]);
  disk.remount('size=10m');
  await expectRecovery(['load', '-q', '-i', archive]);
});

test('an output that does not fit leaves no half of it', async () => {
  for (const type of ['oci', 'docker', 'tar']) {
    const dest = join(disk.path, `out.${type}`);
    const context = cli.context({ Dockerfile: `FROM ${registry.host}/much\n` });
    disk.run('sh', '-c', `head -c 8000000 /dev/zero > ${disk.path}/other`);
    const args = ['build', '-o', `type=${type},dest=${dest}`, context];
    const { status, stderr } = await there(args, cli.home);
    expect(stderr).toContain('[DISK_FULL]');
    expect(status).toBe(9);
    expect(readdirSync(disk.seen)).toEqual(['other']);
  }
});

test('prune makes space where there is none at all', async () => {
  const context = (name: string) => {
    const made = cli.context({ Dockerfile: `FROM scratch\nCOPY file /${name}\n` });
    writeFileSync(join(made, 'file'), much.subarray(0, 4 << 20));
    return made;
  };
  await ok(['build', '-q', '-t', 'kept', context('kept')]);
  await ok(['build', '-q', context('lost')]);
  // Until not one page more can be had.
  disk.run('sh', '-c', `cat /dev/zero > ${disk.path}/filler 2>/dev/null || true`);
  const { status, stdout, stderr } = await there(['prune', '--all']);
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^Reclaimed 4\.\d+ MB/);
  expect(status).toBe(0);
  expect(await imageProblems(join(disk.seen, 'home'))).toEqual([]);
  expect((await ok(['images', '-q'])).trim().split('\n')).toHaveLength(1);
  await ok(['build', '-q', context('again')]);
});
