/** What the members of `-o` ask for, and images for several platforms, by the built command. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cli, createCli } from '../helpers/cli.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';

const OCI = 'application/vnd.oci.image';
const DOCKER = 'application/vnd.docker';

let registry: DockerRegistry;
let cli: Cli;
let context: string;
beforeAll(async () => {
  registry = await startDockerRegistry();
  cli = createCli();
  context = cli.context({
    Dockerfile: 'FROM scratch\nARG TARGETARCH\nCOPY file /$TARGETARCH/file\nLABEL made=here\n',
    file: 'content\n'.repeat(1000),
  });
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await cli[Symbol.asyncDispose]();
});

const at = (name: string) => join(cli.directory, name);
const tool = (command: string, ...args: string[]) =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const json = (file: string) => JSON.parse(readFileSync(file, 'utf8'));

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Record<string, string>;
  readonly platform?: Record<string, string>;
}

interface Document {
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly manifests: readonly Descriptor[];
  readonly annotations?: Record<string, string>;
}

let layouts = 0;

/** Builds into an OCI layout directory, with these members of `-o`, and gives the top document and a reader for others. */
async function buildLayout(members: string, ...args: string[]) {
  layouts += 1;
  const directory = at(`layout-${layouts}`);
  const dest = `type=oci,tar=false,dest=${directory}${members && `,${members}`}`;
  await cli.ok(['build', '-o', dest, ...args, context]);
  const read = ({ digest }: Descriptor): Document => json(blob(digest));
  const blob = (digest: string) => join(directory, 'blobs', digest.replace(':', '/'));
  const [root] = json(join(directory, 'index.json')).manifests as [Descriptor];
  return { directory, root, top: read(root), read, blob };
}

const layerTypes = ({ layers }: Document) =>
  layers.map(({ mediaType }) => mediaType.split('.').slice(-1)[0]);

describe('an OCI layout', () => {
  test.each([
    ['', 'tar+gzip'],
    ['compression=gzip', 'tar+gzip'],
    ['compression=uncompressed', 'tar'],
    ['compression=gzip,compression-level=1,force-compression=true', 'tar+gzip'],
  ])('has its layers as asked for: %s', async (members, expected) => {
    const { top, blob } = await buildLayout(members);
    expect(layerTypes(top)).toEqual([expected]);
    const [layer] = top.layers;
    expect(readFileSync(blob(layer!.digest)).length).toBe(layer!.size);
    expect(tool('tar', '-tf', blob(layer!.digest))).toContain('amd64/file');
  });

  test('with zstd is made by Node, by the library or by the program, and without any says so', async () => {
    const { top, blob } = await buildLayout('compression=zstd');
    expect(layerTypes(top)).toEqual(['tar+zstd']);
    expect(tool('tar', '--zstd', '-tf', blob(top.layers[0]!.digest))).toContain('amd64/file');
    const dest = `type=oci,dest=${at('zstd.tar')},compression=zstd,force-compression=true`;
    const args = ['build', '--build-arg', 'OTHER=1', '-o', dest, context];
    mkdirSync(at('few-programs'));
    symlinkSync('/usr/bin/flock', at('few-programs/flock'));
    mkdirSync(at('libraries'));
    // Found before the host's, and none.
    writeFileSync(at('libraries/libzstd.so.1'), '');
    const { status, stderr } = await cli.run(args, {
      env: {
        PATH: at('few-programs'),
        LD_LIBRARY_PATH: at('libraries'),
        TSBUILD_HOME: at('without-zstd'),
      },
    });
    if ('zstdCompressSync' in (await import('node:zlib'))) return expect(status).toBe(0);
    expect(status).toBe(10);
    expect(stderr).toContain('install zstd');
    expect(existsSync(at('zstd.tar'))).toBe(false);
  });

  test("may have Docker's media types", async () => {
    const { root, top } = await buildLayout('oci-mediatypes=false', '-t', 'docker:1');
    expect(root.mediaType).toBe(`${DOCKER}.distribution.manifest.v2+json`);
    expect([top.mediaType, top.config.mediaType, top.layers[0]!.mediaType]).toEqual([
      `${DOCKER}.distribution.manifest.v2+json`,
      `${DOCKER}.container.image.v1+json`,
      `${DOCKER}.image.rootfs.diff.tar.gzip`,
    ]);
    // The store's own image is what it was.
    expect(json(join(cli.home, 'content/index.json')).manifests.at(-1).mediaType).toContain(OCI);
  });

  test('has the annotations of the build, and those of its own', async () => {
    const args = ['--annotation', 'all=1', '--annotation', 'manifest-descriptor:at=2'];
    const members = 'annotation.own=3,annotation-manifest[linux/amd64].amd=4';
    const { root, top } = await buildLayout(members, ...args);
    expect(top.annotations).toEqual({ all: '1', own: '3', amd: '4' });
    expect(root.annotations).toMatchObject({ at: '2' });
    const refused = await cli.run(['build', '--annotation', 'index:a=b', context]);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toContain('no index');
  });

  test('has no file later than SOURCE_DATE_EPOCH with rewrite-timestamp, whatever the base has', async () => {
    utimesSync(join(context, 'file'), 1_700_000_000, 1_700_000_000);
    await cli.ok(['build', '-t', 'base:1', context]);
    const child = cli.context({ Dockerfile: 'FROM base:1\nCOPY more /\n', more: 'more\n' });
    const dest = `type=oci,tar=false,dest=${at('dated')},rewrite-timestamp=true`;
    const env = { SOURCE_DATE_EPOCH: '1000000000' };
    await cli.ok(['build', '-o', dest, child], { env });
    const [root] = json(at('dated/index.json')).manifests;
    const path = (digest: string) => at(`dated/blobs/${digest.replace(':', '/')}`);
    const manifest: Document = json(path(root.digest));
    for (const { digest } of manifest.layers) {
      const times = tool('tar', '--utc', '--full-time', '-tvf', path(digest)).match(/\d{4}-\d\d/g)!;
      expect(times.every((time) => time <= '2001-09')).toBe(true);
    }
    const { created, history } = json(path(manifest.config.digest));
    expect(created).toBe('2001-09-09T01:46:40Z');
    expect(history.every((entry: { created: string }) => entry.created <= created)).toBe(true);
    const without = await cli.run(['build', '-o', dest, child]);
    expect(without.status).toBe(2);
    expect(without.stderr).toContain('SOURCE_DATE_EPOCH');
  });

  test('a member that is not known is told of, and one that makes no sense refused', async () => {
    const run = (members: string) =>
      cli.run(['build', '-o', `type=oci,dest=${at('x.tar')},${members}`, context]);
    expect((await run('compresion=zstd')).stderr).toContain('compresion');
    for (const members of ['compression=lz4', 'compression-level=12', 'tar=maybe', 'name=a/B'])
      expect((await run(members)).status).toBe(2);
  });
});

describe('a registry', () => {
  const inspect = (name: string) =>
    JSON.parse(tool('skopeo', 'inspect', '--raw', '--tls-verify=false', `docker://${name}`));

  test('gets an image under other names, without any, and in other forms', async () => {
    const name = `${registry.host}/out/app`;
    const push = async (members: string) => {
      const args = ['-o', `type=image,push=true,${members}`, '--metadata-file', at('m.json')];
      await cli.ok(['build', ...args, context]);
      return json(at('m.json'))['containerimage.digest'] as string;
    };
    const tagged = await push(`"name=${name}:1,${name}:2"`);
    expect(layerTypes(inspect(`${name}:2`))).toEqual(['tar+gzip']);
    expect(inspect(`${name}@${tagged}`)).toEqual(inspect(`${name}:1`));
    const docker = await push(`name=${name},push-by-digest=true,oci-mediatypes=false`);
    expect(docker).not.toBe(tagged);
    expect(inspect(`${name}@${docker}`).mediaType).toContain('docker');
    const plain = await push(`name=${name},push-by-digest=true,compression=uncompressed`);
    expect(layerTypes(inspect(`${name}@${plain}`))).toEqual(['tar']);
    const tags = JSON.parse(
      tool('skopeo', 'list-tags', '--tls-verify=false', `docker://${name}`),
    ).Tags;
    expect(tags.sort()).toEqual(['1', '2']);
  });

  test('a canonical name keeps an image in the store under its digest', async () => {
    await cli.ok(['build', '-o', 'type=image,name=kept/app,name-canonical=true', context]);
    const names = (await cli.ok(['images', '--format', 'json'])).trim().split('\n');
    expect(names.map((line) => JSON.parse(line).name)).toContainEqual(
      expect.stringMatching(/^kept\/app@sha256:[0-9a-f]{64}$/),
    );
  });
});

describe('several platforms', () => {
  const platforms = ['amd64', 'arm64', 'arm/v6', 'arm/v7', 's390x', 'riscv64'].map(
    (name) => `linux/${name}`,
  );

  test('make one index, of which each registry and tool takes its own', async () => {
    const name = `${registry.host}/out/six:1`;
    const args = ['--platform', platforms.join(','), '--push', '-t', name];
    const files = ['--metadata-file', at('six.json'), '--iidfile', at('six.iid')];
    await cli.ok(['build', ...args, ...files, '--annotation', 'index:k=v', context]);
    const raw = (...more: string[]) =>
      JSON.parse(
        tool('skopeo', ...more, 'inspect', '--raw', '--tls-verify=false', `docker://${name}`),
      );
    const index: Document = raw();
    expect(index.mediaType).toBe(`${OCI}.index.v1+json`);
    expect(index.annotations).toEqual({ k: 'v' });
    expect(
      index.manifests.map(({ platform }) =>
        [platform!.os, platform!.architecture, platform!.variant].filter(Boolean).join('/'),
      ),
    ).toEqual(platforms);
    const metadata = json(at('six.json'));
    expect(metadata).not.toHaveProperty(['containerimage.config.digest']);
    expect(metadata['containerimage.descriptor']).toMatchObject({ mediaType: index.mediaType });
    expect(metadata['image.name']).toBe(name);
    expect(readFileSync(at('six.iid'), 'utf8')).toMatch(/^sha256:[0-9a-f]{64}$/);
    for (const arch of ['arm64', 's390x']) {
      const args = ['--override-arch', arch, 'inspect', '--tls-verify=false', `docker://${name}`];
      expect(JSON.parse(tool('skopeo', ...args)).Architecture).toBe(arch);
    }
  });

  test('an image for one of them has what that one can run', async () => {
    const name = `${registry.host}/out/six:1`;
    const env = { TSBUILD_HOME: at('pulled') };
    for (const [asked, found] of [
      ['linux/arm/v8', 'linux/arm/v7'],
      ['linux/arm/v6', 'linux/arm/v6'],
      ['linux/arm/v7', 'linux/arm/v7'],
      ['linux/arm64/v8', 'linux/arm64'],
    ] as const) {
      const dest = at(`of-${asked.replaceAll('/', '-')}`);
      const child = cli.context({ Dockerfile: `FROM ${name}\n` });
      const meta = ['--metadata-file', at('of.json')];
      await cli.ok(['build', '--platform', asked, '-o', dest, ...meta, child], { env });
      expect(readdirSync(dest)).toEqual([found.split('/')[1]]);
    }
    const { status, stderr } = await cli.run(['pull', '--platform', 'linux/arm/v5', name], { env });
    expect(status).toBe(6);
    expect(stderr).toContain('linux/arm/v6');
  });

  test('of files have a directory each, unless told otherwise', async () => {
    const args = ['--platform', 'linux/amd64,linux/arm64'];
    await cli.ok(['build', ...args, '-o', at('split'), context]);
    expect(readdirSync(at('split')).sort()).toEqual(['linux_amd64', 'linux_arm64']);
    expect(readdirSync(at('split/linux_arm64'))).toEqual(['arm64']);
    const merged = `type=local,platform-split=false,dest=${at('merged')}`;
    await cli.ok(['build', ...args, '-o', merged, context]);
    expect(readdirSync(at('merged')).sort()).toEqual(['amd64', 'arm64']);
    await cli.ok(['build', ...args, '-o', `type=tar,dest=${at('split.tar')}`, context]);
    expect(tool('tar', '-tf', at('split.tar'))).toContain('linux_arm64/arm64/file');
  });

  test('in an archive for docker are reduced to that of this machine, which is said', async () => {
    const dest = `type=docker,dest=${at('one.tar')}`;
    const args = ['--platform', 'linux/arm64,linux/amd64', '-t', 'one:1', '-o', dest];
    const { status, stderr } = await cli.run(['build', ...args, context]);
    expect(status).toBe(0);
    expect(stderr).toContain('linux/amd64');
    const [image, ...others] = JSON.parse(tool('tar', '-xOf', at('one.tar'), 'manifest.json'));
    expect(others).toEqual([]);
    expect(image.RepoTags).toEqual(['one:1']);
    const { Architecture } = JSON.parse(
      tool('skopeo', 'inspect', `docker-archive:${at('one.tar')}`),
    );
    expect(Architecture).toBe('amd64');
  });

  test('share what is built on the platform of the build', async () => {
    // Not scratch, which is for the target whatever FROM says.
    const tools = cli.context({ Dockerfile: 'FROM scratch\nCOPY tool /tool\n', tool: 'tool\n' });
    await cli.ok(['build', '-t', 'tools:1', tools]);
    const cross = cli.context({
      Dockerfile: `FROM --platform=$BUILDPLATFORM tools:1 AS compiler
COPY source /source
FROM scratch
ARG TARGETARCH
COPY --from=compiler /source /$TARGETARCH
`,
      source: 'source\n',
    });
    const args = ['build', '--progress', 'json', '--platform', platforms.join(','), cross];
    const { status, stderr } = await cli.run(args);
    expect(status).toBe(0);
    const events = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const names = new Map<string, string>(
      events.flatMap(({ steps = [] }) => steps.map(({ id, name }: never) => [id, name])),
    );
    const done = events
      .filter(({ type, outcome }) => type === 'step.end' && outcome === 'done')
      .map(({ step }) => names.get(step)!);
    expect(done.filter((name) => name.includes('COPY source'))).toEqual([
      '[linux/amd64 compiler 2/2] COPY source /source',
    ]);
    expect(done.filter((name) => name.includes('--from=compiler'))).toHaveLength(6);
  });
});
