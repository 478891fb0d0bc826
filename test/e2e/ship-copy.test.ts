/** `copy`, `manifest inspect` and `index create`, against two registries and against skopeo. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cli, createCli } from '../helpers/cli.ts';
import { type DockerRegistry, startDockerRegistry } from '../helpers/docker-registry.ts';
import { testRegistry } from '../helpers/registry-client.ts';
import { putDocument } from '../helpers/registry-images.ts';

let one: DockerRegistry;
let two: DockerRegistry;
let cli: Cli;
/** An index of two platforms in the first registry. */
let name: string;
let digest: string;
beforeAll(async () => {
  [one, two] = await Promise.all([startDockerRegistry(), startDockerRegistry()]);
  cli = createCli();
  name = `${one.host}/team/app:1`;
  const context = cli.context({
    Dockerfile: 'FROM scratch\nARG TARGETARCH\nCOPY file /$TARGETARCH\n',
    file: 'content\n'.repeat(100),
  });
  const platforms = ['--platform', 'linux/amd64,linux/arm64'];
  await cli.ok(['build', ...platforms, '-t', name, '--push', context]);
  digest = JSON.parse(await cli.ok(['manifest', 'inspect', '--descriptor', name])).digest;
});
afterAll(async () => {
  await Promise.all([one, two].map((registry) => registry[Symbol.asyncDispose]()));
  await cli[Symbol.asyncDispose]();
});

const at = (file: string) => join(cli.directory, file);
const tool = (command: string, ...args: string[]) =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const copy = (...args: string[]) => cli.ok(['copy', '-q', ...args]);
const rawDigest = (reference: string) =>
  `sha256:${createHash('sha256')
    .update(tool('skopeo', 'inspect', '--raw', '--tls-verify=false', reference))
    .digest('hex')}`;

describe('copy', () => {
  test('carries an index with all its images to another registry, and back, byte for byte', async () => {
    expect(await copy(name, `docker://${two.host}/other/app:2`)).toBe(`${digest}\n`);
    expect(rawDigest(`docker://${two.host}/other/app:2`)).toBe(digest);
    await copy(`${two.host}/other/app@${digest}`, `${one.host}/back/app:3`);
    expect(rawDigest(`docker://${one.host}/back/app:3`)).toBe(digest);
    const image = tool(
      'skopeo',
      '--override-arch',
      'arm64',
      'inspect',
      '--tls-verify=false',
      `docker://${one.host}/back/app:3`,
    );
    expect(JSON.parse(image).Architecture).toBe('arm64');
  });

  test('mounts within a registry, and sends nothing that is there', async () => {
    const before = one.requests().length;
    await copy(name, `${one.host}/mounted/app:1`);
    const asked = () =>
      one
        .requests()
        .slice(before)
        .filter((line) => /POST|PATCH|PUT \S*\/blobs/.test(line));
    await expect.poll(() => asked().length).toBeGreaterThan(0);
    expect(asked().every((line) => line.startsWith('POST') && line.endsWith(' 201'))).toBe(true);
  });

  test('through layouts and archives keeps the digest', async () => {
    await copy(name, `oci:${at('layout')}:v1`);
    expect(rawDigest(`oci:${at('layout')}:v1`)).toBe(digest);
    await copy(`oci:${at('layout')}:v1`, `oci-archive:${at('app.tar')}:${name}`);
    expect(await copy(`oci-archive:${at('app.tar')}`, `${two.host}/from/archive:1`)).toBe(
      `${digest}\n`,
    );
    expect(rawDigest(`docker://${two.host}/from/archive:1`)).toBe(digest);
    // A second image in the layout needs to be named.
    await copy('--platform', 'linux/arm64', name, `oci:${at('layout')}:arm`);
    const { status, stderr } = await cli.run(['copy', `oci:${at('layout')}`, `${two.host}/x:1`]);
    expect(status).toBe(2);
    expect(stderr).toContain('v1, arm');
  });

  test('takes one platform where that was asked for, or all that there is room for', async () => {
    const arm = (await copy('--platform', 'linux/arm64', name, `${two.host}/arm/app:1`)).trim();
    const index = JSON.parse(await cli.ok(['manifest', 'inspect', name]));
    expect(arm).toBe(index.manifests[1].digest);
    await copy(name, `docker-archive:${at('docker.tar')}:archived:1`);
    const { Architecture } = JSON.parse(
      tool('skopeo', 'inspect', `docker-archive:${at('docker.tar')}`),
    );
    expect(Architecture).toBe('amd64');
    const { status, stderr } = await cli.run([
      'copy',
      '--platform',
      'linux/s390x',
      name,
      `${two.host}/s:1`,
    ]);
    expect(status).toBe(6);
    expect(stderr).toContain('linux/arm64');
  });

  test('compresses what never was, from the store and from docker archives', async () => {
    await copy(`store:${name}`, `${two.host}/stored/app:1`);
    const types = async (reference: string) => {
      const document = JSON.parse(await cli.ok(['manifest', 'inspect', reference]));
      return document.layers.map(({ mediaType }: { mediaType: string }) =>
        mediaType.split('.').at(-1),
      );
    };
    const { manifests } = JSON.parse(
      await cli.ok(['manifest', 'inspect', `${two.host}/stored/app:1`]),
    );
    expect(await types(`${two.host}/stored/app@${manifests[0].digest}`)).toEqual(['tar+gzip']);
    await cli.ok(['save', '-o', at('saved.tar'), name]);
    const target = `${two.host}/loaded/app:1`;
    tool(
      'skopeo',
      'copy',
      '--src-tls-verify=false',
      `docker://${name}`,
      `docker-archive:${at('skopeo.tar')}:old:1`,
    );
    await copy(`docker-archive:${at('skopeo.tar')}:old:1`, target);
    expect(await types(target)).toEqual(['tar+gzip']);
  });

  test('of what is not there says so', async () => {
    for (const [source, status] of [
      [`${one.host}/team/none:1`, 6],
      [`oci:${at('nowhere')}:1`, 6],
      [`oci-archive:${at('nothing.tar')}`, 11],
      ['store:never-built', 6],
      ['oci:', 2],
    ] as const)
      expect([source, (await cli.run(['copy', source, `${two.host}/x:1`])).status]).toEqual([
        source,
        status,
      ]);
  });
});

describe('manifest inspect', () => {
  test('prints what the registry has, to the byte if asked', async () => {
    const raw = await cli.ok(['manifest', 'inspect', '--raw', name]);
    expect(`sha256:${createHash('sha256').update(raw).digest('hex')}`).toBe(digest);
    expect(JSON.parse(await cli.ok(['manifest', 'inspect', name]))).toEqual(JSON.parse(raw));
    expect(await cli.ok(['manifest', 'inspect', '--referrers', name])).toBe('[]\n');
    expect((await cli.run(['manifest', 'inspect', `${one.host}/team/app:9`])).status).toBe(6);
  });
});

describe('index create', () => {
  test('makes one image of several, from other repositories too, each once', async () => {
    const { manifests } = JSON.parse(await cli.ok(['manifest', 'inspect', name]));
    const [amd, arm] = manifests.map(
      (each: { digest: string }) => `${one.host}/team/app@${each.digest}`,
    );
    const target = `${two.host}/merged/app:1`;
    const args = [target, amd, arm, name, '--annotation', 'made=here'];
    const dry = JSON.parse(await cli.ok(['index', 'create', '--dry-run', ...args]));
    expect((await cli.run(['manifest', 'inspect', target])).status).toBe(6);
    const made = (await cli.ok(['index', 'create', '-q', ...args])).trim();
    expect(rawDigest(`docker://${target}`)).toBe(made);
    const index = JSON.parse(await cli.ok(['manifest', 'inspect', target]));
    expect(index).toEqual(dry);
    expect(index.annotations).toEqual({ made: 'here' });
    expect(index.manifests).toEqual(manifests);
    tool(
      'skopeo',
      '--override-arch',
      'arm64',
      'inspect',
      '--tls-verify=false',
      `docker://${target}`,
    );
  });
});

test('an index of nothing is not made', async () => {
  const registry = await testRegistry();
  putDocument(registry, 'team/none', '1', 'application/vnd.oci.image.index.v1+json', {
    manifests: [],
  });
  const [name, empty] = ['made', 'none'].map((each) => `${registry.host}/team/${each}:1`);
  expect((await cli.run(['index', 'create', name!, empty!])).status).toBe(2);
});

const mirroring = {
  'registries.json': () =>
    JSON.stringify({ registries: { [one.host]: { mirrors: [`${two.host}/mirror`] } } }),
  'registries.conf': () =>
    `[[registry]]\nlocation = "${one.host}"\n[[registry.mirror]]\nlocation = "${two.host}/mirror"\n`,
};

test.each([
  ['registries.json', 'TSBUILD_REGISTRIES'],
  ['registries.conf', 'CONTAINERS_REGISTRIES_CONF'],
] as const)(
  'a mirror of %s is asked first, and the registry itself for what it lacks',
  async (form, variable) => {
    const file = join(cli.context({ [form]: mirroring[form]() }), form);
    const env = { [variable]: file, TSBUILD_HOME: at(`mirrored-by-${form}`) };
    await copy(name, `${two.host}/mirror/team/app:1`);
    const before = one.requests().length;
    await cli.ok(['pull', name], { env });
    expect(one.requests().slice(before)).toEqual([]);
    await copy(name, `${one.host}/only/here:1`);
    await cli.ok(['pull', `${one.host}/only/here:1`], { env });
  },
);
