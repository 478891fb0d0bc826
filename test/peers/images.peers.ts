/** What we push, others pull, unpack and run: each form of image by each tool. */
import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Cli, createCli } from '../helpers/cli.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { has, nodeWithZstd, run, runCommand, type ToolName } from './tools.ts';

const DOCKERFILE = `FROM busybox
COPY --chown=7:8 --chmod=4711 program /data/program
RUN ln /data/program /data/hard && ln -s program /data/soft && mkfifo /data/pipe && mkdir -m 1777 /data/open && \\
    mkdir /deleted /replaced && touch /deleted/a /replaced/old
RUN rm -r /deleted && rm -r /replaced && mkdir /replaced && touch /replaced/new
ENV GREETING="hello there"
WORKDIR /data
CMD echo "$GREETING from $(pwd)"; stat -c '%n %a %u:%g %F' program hard soft pipe open; ls / | grep -c deleted; ls /replaced
`;
const OUTPUT = `hello there from /data
program 4711 7:8 regular file
hard 4711 7:8 regular file
soft 777 0:0 symbolic link
pipe 644 0:0 fifo
open 1777 0:0 directory
0
new
`;

/** Members of `-o`, by what the image is called. */
const FORMS: Readonly<Record<string, string>> = {
  gzip: 'compression=gzip',
  'docker-types': 'oci-mediatypes=false',
  uncompressed: 'compression=uncompressed',
  annotated: 'annotation.a=b,annotation-manifest-descriptor.c=d',
  dated: 'rewrite-timestamp=true',
};

let registry: DockerRegistry;
let cli: Cli;
let context: string;
const zstd = nodeWithZstd();
const forms = [...Object.keys(FORMS), 'several', ...(zstd ? ['zstd'] : [])];
const nameOf = (form: string) => `${registry.host}/peers/app:${form}`;

beforeAll(async () => {
  if (zstd === undefined) process.stderr.write('zstd: no Node that has it\n');
  registry = await startDockerRegistry();
  cli = createCli();
  await cli.base();
  context = cli.context({ Dockerfile: DOCKERFILE, program: '#!/bin/sh\n'.repeat(1000) });
  const env = { SOURCE_DATE_EPOCH: '1600000000' };
  for (const [form, members] of Object.entries(FORMS)) {
    const output = `type=image,push=true,name=${nameOf(form)},${members}`;
    await cli.ok(['build', '-o', output, context], { env });
  }
  await pushSeveral();
  if (zstd !== undefined) await pushZstd(zstd);
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await cli[Symbol.asyncDispose]();
});

/** One index of our own platform, and of one that nothing here can run. */
async function pushSeveral(): Promise<void> {
  const other = cli.context({ Dockerfile: 'FROM scratch\nCOPY file /\n', file: 'for another\n' });
  await cli.ok(['build', '--platform', 'linux/s390x', '-t', nameOf('s390x'), '--push', other]);
  await cli.ok(['index', 'create', nameOf('several'), nameOf('s390x'), nameOf('gzip')]);
}

/** By another Node, from the same store. */
async function pushZstd(node: readonly [string, ...string[]]): Promise<void> {
  const program = join(cli.directory, 'install/dist/tsbuild.cjs');
  const members = `push=true,name=${nameOf('zstd')},compression=zstd,force-compression=true`;
  await runCommand([...node, program, 'build', '-o', `type=image,${members}`, context], {
    env: cli.environment,
  });
}

/** When the running test is over; whatever it has left. */
function afterwards(tool: ToolName, args: readonly string[]): void {
  onTestFinished(async () => {
    await run(tool, args).catch(() => {});
  });
}

test('some tool is there', () => {
  expect((['docker', 'buildah', 'podman', 'skopeo', 'umoci'] as const).some(has)).toBe(true);
});

describe.skipIf(!has('docker'))('docker', () => {
  test.each(forms)('pulls and runs it: %s', async (form) => {
    const name = nameOf(form);
    afterwards('docker', ['rmi', '-f', name]);
    await run('docker', ['pull', '-q', name]);
    expect(await run('docker', ['run', '--rm', '--network=none', name])).toBe(OUTPUT);
  });

  test('loads and runs what save writes', async () => {
    const archive = join(cli.directory, 'saved.tar');
    const tag = 'tsbuild-peers:saved';
    await cli.ok(['build', '-t', tag, context]);
    await cli.ok(['save', '-o', archive, tag]);
    afterwards('docker', ['rmi', '-f', tag]);
    expect(await run('docker', ['load', '-i', archive])).toContain(tag);
    expect(await run('docker', ['run', '--rm', '--network=none', tag])).toBe(OUTPUT);
  });

  test('loads what -o type=docker writes, also compressed', async () => {
    for (const members of ['', ',compression=gzip', ',oci-mediatypes=false,compression=gzip']) {
      const archive = join(cli.directory, 'out.tar');
      const tag = 'tsbuild-peers:output';
      await cli.ok(['build', '-t', tag, '-o', `type=docker,dest=${archive}${members}`, context]);
      await run('docker', ['load', '-i', archive]);
      expect(await run('docker', ['run', '--rm', '--network=none', tag])).toBe(OUTPUT);
      await run('docker', ['rmi', '-f', tag]);
    }
  });

  test('saves what we load and run', async () => {
    const archive = join(cli.directory, 'built.tar');
    const tag = 'tsbuild-peers:from-docker';
    await cli.ok(['build', '-t', tag, '-o', `type=docker,dest=${archive}`, context]);
    afterwards('docker', ['rmi', '-f', tag]);
    await run('docker', ['load', '-i', archive]);
    const theirs = join(cli.directory, 'theirs.tar');
    await run('docker', ['save', '-o', theirs, tag]);
    const env = { TSBUILD_HOME: join(cli.directory, 'loaded-from-docker') };
    await cli.ok(['load', '-i', theirs], { env });
    expect(await cli.ok(['run', '--rm', tag], { env })).toBe(OUTPUT);
  });

  test('pushes what we pull and run', async () => {
    const name = nameOf('by-docker');
    await run('docker', ['pull', '-q', nameOf('gzip')]);
    await run('docker', ['tag', nameOf('gzip'), name]);
    await run('docker', ['push', '-q', name]);
    await run('docker', ['rmi', '-f', name, nameOf('gzip')]);
    const env = { TSBUILD_HOME: join(cli.directory, 'from-docker') };
    await cli.ok(['pull', name], { env });
    expect(await cli.ok(['run', '--rm', name], { env })).toBe(OUTPUT);
  });
});

describe.each(['buildah', 'podman'] as const)('%s', (tool) => {
  test.skipIf(!has(tool)).each(forms)('pulls and runs it: %s', async (form) => {
    const name = nameOf(form);
    afterwards(tool, ['rmi', '-f', name]);
    if (tool === 'podman') {
      const args = ['--rm', '--network=none', '--tls-verify=false', name];
      return expect(await run('podman', ['run', '-q', ...args])).toBe(OUTPUT);
    }
    await run('buildah', ['pull', '-q', '--tls-verify=false', name]);
    const container = (await run('buildah', ['from', '--pull=never', name])).trim();
    afterwards('buildah', ['rm', container]);
    const command = (await readConfig(name)).config.Cmd;
    const isolation = ['--isolation', 'chroot'];
    expect(await run('buildah', ['run', ...isolation, container, '--', ...command])).toBe(OUTPUT);
  });
});

async function readConfig(name: string): Promise<{ config: { Cmd: string[] } }> {
  return JSON.parse(
    await run('skopeo', ['inspect', '--config', '--tls-verify=false', `docker://${name}`]),
  );
}

describe.skipIf(!has('skopeo') || !has('umoci'))('skopeo and umoci', () => {
  test.each(forms)('copy and unpack it: %s', async (form) => {
    const layout = join(cli.directory, `layout-${form}`);
    const bundle = join(cli.directory, `bundle-${form}`);
    const copy = [
      'copy',
      '-q',
      '--src-tls-verify=false',
      `docker://${nameOf(form)}`,
      `oci:${layout}:x`,
    ];
    await run('skopeo', copy);
    await run('umoci', ['unpack', '--image', `${layout}:x`, bundle]);
    const file = (name: string) => join(bundle, 'rootfs', name);
    const stat = lstatSync(file('data/hard'));
    expect([stat.mode & 0o7777, stat.uid, stat.gid, stat.nlink]).toEqual([0o4711, 7, 8, 2]);
    expect(readFileSync(file('data/program'), 'utf8')).toBe('#!/bin/sh\n'.repeat(1000));
    expect(lstatSync(file('data/pipe')).isFIFO()).toBe(true);
    expect(lstatSync(file('deleted'), { throwIfNoEntry: false })).toBeUndefined();
    expect(lstatSync(file('replaced/old'), { throwIfNoEntry: false })).toBeUndefined();
  });

  test('copy all platforms of an index', async () => {
    const layout = join(cli.directory, 'layout-all');
    const from = `docker://${nameOf('several')}`;
    await run('skopeo', ['copy', '-q', '--all', '--src-tls-verify=false', from, `oci:${layout}:x`]);
    const { manifests } = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8'));
    expect(manifests[0].mediaType).toContain('index');
  });
});
