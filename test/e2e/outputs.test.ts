import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cli, createCli } from '../helpers/cli.ts';

let cli: Cli;
let context: string;
beforeAll(async () => {
  cli = createCli();
  await cli.base();
  context = cli.context({
    Dockerfile: `FROM busybox
COPY --chown=7:8 file /data/file
RUN ln -s file /data/link && ln /data/file /data/hard && mkdir -m 1777 /data/dir && \
    dd if=/dev/zero of=/data/sparse bs=1 count=1 seek=1048575 2>/dev/null
LABEL made=here
CMD cat /data/file
`,
    file: 'content\n',
  });
});
afterAll(() => cli[Symbol.asyncDispose]());

const at = (name: string) => join(cli.directory, name);
const tool = (command: string, ...args: string[]) =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

describe('what a build writes', () => {
  test('as an OCI archive is read by skopeo and unpacked by umoci', async () => {
    await cli.ok(['build', '-t', 'app:1', '-o', `type=oci,dest=${at('oci.tar')}`, context]);
    const image = JSON.parse(tool('skopeo', 'inspect', '--config', `oci-archive:${at('oci.tar')}`));
    expect(image.config.Labels).toMatchObject({ made: 'here' });
    mkdirSync(at('layout'));
    tool('tar', '-xf', at('oci.tar'), '-C', at('layout'));
    const { manifests } = JSON.parse(readFileSync(at('layout/index.json'), 'utf8'));
    const tag = manifests[0].annotations['org.opencontainers.image.ref.name'];
    tool('umoci', 'unpack', '--image', `${at('layout')}:${tag}`, at('bundle'));
    expect(readFileSync(at('bundle/rootfs/data/file'), 'utf8')).toBe('content\n');
    const { uid, gid } = statSync(at('bundle/rootfs/data/hard'));
    expect([uid, gid]).toEqual([7, 8]);
  });

  test('as an OCI directory is a layout', async () => {
    await cli.ok(['build', '-o', `type=oci,tar=false,dest=${at('oci-dir')}`, context]);
    expect(JSON.parse(readFileSync(at('oci-dir/oci-layout'), 'utf8'))).toEqual({
      imageLayoutVersion: '1.0.0',
    });
    tool('skopeo', 'inspect', `oci:${at('oci-dir')}`);
  });

  test('as a docker archive is read by skopeo', async () => {
    await cli.ok(['build', '-t', 'app:1', '-o', `type=docker,dest=${at('docker.tar')}`, context]);
    const image = JSON.parse(tool('skopeo', 'inspect', `docker-archive:${at('docker.tar')}`));
    expect(image.Labels).toMatchObject({ made: 'here' });
    const names = JSON.parse(tool('tar', '-xOf', at('docker.tar'), 'manifest.json'))[0].RepoTags;
    expect(names).toEqual(['app:1']);
  });

  test('as local files has them all, with modes', async () => {
    await cli.ok(['build', '-o', at('files'), context]);
    expect(readFileSync(at('files/data/file'), 'utf8')).toBe('content\n');
    expect(lstatSync(at('files/data/link')).isSymbolicLink()).toBe(true);
    expect(statSync(at('files/data/hard')).ino).toBe(statSync(at('files/data/file')).ino);
    expect(statSync(at('files/data/dir')).mode & 0o7777).toBe(0o1777);
    expect(statSync(at('files/data/sparse')).size).toBe(1_048_576);
  });

  test('as a tar keeps owners', async () => {
    await cli.ok(['build', '-o', `type=tar,dest=${at('files.tar')}`, context]);
    const list = tool('tar', '--numeric-owner', '-tvf', at('files.tar'));
    expect(list).toMatch(/^-rw-r--r-- 7\/8 +8 .* data\/(file|hard)$/m);
  });

  test('goes to stdout and to several places at once', async () => {
    const args = [
      'build',
      '-q',
      '-o',
      'type=tar,dest=-',
      '-o',
      `type=oci,dest=${at('second.tar')}`,
      context,
    ];
    const child = cli.start(args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const chunks: Buffer[] = [];
    for await (const chunk of child.stdout!) chunks.push(chunk);
    writeFileSync(at('stdout.tar'), Buffer.concat(chunks).subarray(0, -72));
    expect(tool('tar', '-tf', at('second.tar'))).toContain('oci-layout');
    expect(Buffer.concat(chunks).subarray(257, 262).toString()).toBe('ustar');
  });

  test('cannot be written where there is no directory: nothing half-written is left', async () => {
    const dest = at('no/such/directory/x.tar');
    const { status, stderr } = await cli.run(['build', '-o', `type=oci,dest=${dest}`, context]);
    expect(status).toBe(9);
    expect(stderr).toContain('[OUTPUT]');
    expect(existsSync(dest)).toBe(false);
  });
});

describe('save and load', () => {
  test.each(['docker', 'oci'])('carry an image to another store as %s', async (format) => {
    await cli.ok(['build', '-t', 'carried:1', context]);
    const archive = at(`saved-${format}.tar`);
    await cli.ok(['save', '--format', format, '-o', archive, 'carried:1']);
    const env = { TSBUILD_HOME: at(`home-${format}`) };
    expect(await cli.ok(['load', '-i', archive], { env })).toBe('Loaded image: carried:1\n');
    expect(await cli.ok(['run', '--rm', 'carried:1'], { env })).toBe('content\n');
    const id = async (more: object) =>
      JSON.parse(await cli.ok(['inspect', 'carried:1'], more))[0].Id;
    expect(await id({ env })).toBe(await id({}));
  });

  test('refuse what is no archive', async () => {
    writeFileSync(at('noise'), Buffer.alloc(4096, 7));
    const { status, stderr } = await cli.run(['load', '-i', at('noise')]);
    expect(stderr).toContain('[ARCHIVE]');
    expect(status).toBe(8);
  });
});

describe('the store', () => {
  test('lists, tags, inspects and removes', async () => {
    await cli.ok(['build', '-t', 'listed:1', context]);
    await cli.ok(['tag', 'listed:1', 'localhost:5000/team/listed']);
    const names = (await cli.ok(['images', '--format', 'json']))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).name);
    expect(names).toEqual(
      expect.arrayContaining(['listed:1', 'localhost:5000/team/listed:latest']),
    );
    const [details] = JSON.parse(await cli.ok(['inspect', 'listed:1']));
    expect(details).toMatchObject({ Os: 'linux', Config: { Labels: { made: 'here' } } });
    expect(details.RepoTags).toEqual(
      expect.arrayContaining(names.filter((name) => name?.includes('listed'))),
    );
    expect(await cli.ok(['history', 'listed:1'])).toMatch(/CREATED BY/);
    await cli.ok(['rmi', 'localhost:5000/team/listed', 'listed:1']);
    expect((await cli.run(['inspect', 'listed:1'])).status).toBe(6);
  });

  test('is an OCI layout that others read', async () => {
    await cli.ok(['build', '-t', 'layout:1', context]);
    const { manifests } = JSON.parse(readFileSync(join(cli.home, 'content/index.json'), 'utf8'));
    expect(manifests.length).toBeGreaterThan(0);
    expect(JSON.parse(readFileSync(join(cli.home, 'content/oci-layout'), 'utf8'))).toEqual({
      imageLayoutVersion: '1.0.0',
    });
  });
});
