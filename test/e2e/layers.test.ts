/**
 * What is in the layers of an image is what its RUNs saw: every kind of file, in each form in which layers are mounted,
 * through a registry, and unpacked by tools of others.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, realpathSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { tarOf } from '../helpers/archives.ts';
import { type Cli, createCli } from '../helpers/cli.ts';
import { startDockerRegistry } from '../helpers/docker-registry.ts';

const FORMS = ['erofs', 'directory', 'copy'] as const;
type Form = (typeof FORMS)[number];

/** The host's programs in a directory of their own, with their loader and libraries. */
const TOOLS = ['/usr/sbin/setcap', '/usr/sbin/getcap', '/usr/bin/getfattr', '/usr/bin/setfattr'];
const TOOL = '/tools/ld.so --library-path /tools /tools';

/** Everything below `d` in the current directory, on any system that has busybox. */
const LISTING = `export LC_ALL=C
find d -type d -exec stat -c '%n|%f|%u:%g|%Y' {} + | sort
find d ! -type d -exec stat -c '%n|%f|%u:%g|%s|%Y|%t:%T|%h' {} + | sort
find d -type f -exec sha256sum {} + | sort
find d -type l | sort | while IFS= read -r f; do readlink "$f"; done
find d | sort | while IFS= read -r f; do $GETFATTR -h -d -m - -e hex "$f"; done
`;

const MAKE = `set -e
mkdir -p d/dir/deep d/gone/sub d/opaque d/names && cd d
echo plain > plain && echo once > grown && : > empty && chmod 000 empty
echo linked > hard && ln hard dir/hard && ln hard hard3
ln -s plain relative && ln -s /d/plain absolute && ln -s ../nowhere dangling
ln -s "$(head -c 3000 /dev/zero | tr '\\0' x)" long-link
truncate -s 32M sparse && echo end >> sparse
echo x > setuid && chown 3:4 setuid && chmod 6755 setuid
mkdir sticky && chmod 1777 sticky && mkdir setgid && chmod 2750 setgid && chown 0:7 setgid
mknod char c 1 3 && mknod block b 7 300 && chmod 640 char && mkfifo fifo && chown 4000000000:70000 fifo
cp /bin/busybox tool && ${TOOL}/setcap cap_net_raw,cap_chown+ep tool
${TOOL}/setfattr -n user.binary -v 0x00ff0a0d80 plain
${TOOL}/setfattr -n user.note -v 0x0a dir
echo 1 > gone/sub/file && echo 1 > gone/other && echo 1 > opaque/old && echo 1 > replaced
n=$(head -c 255 /dev/zero | tr '\\0' n)
echo 255 > names/$n
p=names; while [ \${#p} -lt 3000 ]; do p=$p/$n; done; mkdir -p $p && echo deep > $p/file
echo bytes > "names/$(printf 'a\\377\\376b')" && echo text > 'names/ünï code' && echo quote > "names/a'b\\"c\\\\d"
touch -d @1000000000 plain dir/deep && touch -h -d @1000000001 relative && touch -d @1 empty
`;
const CHANGE = `set -e; cd d
rm -r gone/sub && rm gone/other && rm -r opaque && mkdir -m 700 opaque && echo new > opaque/new
rm replaced && mkdir replaced && echo in > replaced/in && rm -r dir/deep && echo file > dir/deep
echo more >> grown && chmod 4711 tool
touch -d @1200000000 opaque replaced dir
`;
/** Nothing of it leaves a trace. */
const KEEP = `set -e; cd d
cat plain > /x && touch -r plain /stamp && cat /x > plain && touch -r /stamp plain && rm /x /stamp
touch -r opaque /stamp && mv opaque/new opaque/moved && mv opaque/moved opaque/new && touch -r /stamp opaque && rm /stamp
chmod 600 plain && chmod 644 plain && chown 5 setgid && chown 0 setgid && chmod 2750 setgid
${TOOL}/setfattr -x user.binary plain && ${TOOL}/setfattr -n user.binary -v 0x00ff0a0d80 plain
touch -r dir /stamp && touch dir/temporary && rm dir/temporary && touch -r /stamp dir && rm /stamp
`;
const DOCKERFILE = `FROM busybox AS tools
COPY tools /tools
FROM tools
COPY *.sh /scripts/
RUN sh /scripts/make.sh
RUN sh /scripts/change.sh
RUN sh /scripts/keep.sh
RUN mkdir /seen && GETFATTR="${TOOL}/getfattr" sh /scripts/list.sh > /seen/listing
`;

describe.each(FORMS)('layers as %s', (form) => {
  let cli: Cli;
  beforeAll(async () => {
    cli = withForm(form);
    await cli.base();
  });
  afterAll(() => cli[Symbol.asyncDispose]());

  test('hold what RUN made of files of every kind, through a registry and for tools of others', async () => {
    await using registry = await startDockerRegistry();
    const name = `${registry.host}/all:1`;
    const context = cli.context({
      Dockerfile: DOCKERFILE,
      ...{ 'make.sh': MAKE, 'change.sh': CHANGE, 'keep.sh': KEEP, 'list.sh': LISTING },
    });
    copyTools(join(context, 'tools'));
    await cli.ok(['build', '-t', name, context]);
    const seen = await cli.ok(['run', '--rm', name, 'cat', '/seen/listing']);
    expect(seen).toContain('d/sparse|81a4|0:0|33554436|');
    expect(seen).toContain('security.capability=0x0100000201200000000000000000000000000000');
    expect(seen).toContain('user.binary=0x00ff0a0d80');
    expect(seen).toContain('user.note=0x0a');

    // KEEP is the last but one, and changed nothing: busybox has 4 layers, then come tools, scripts, and three of RUNs.
    expect(await layersOf(cli, name)).toHaveLength((await layersOf(cli, 'busybox')).length + 5);
    expect(await listing(cli, name)).toBe(seen);

    await cli.ok(['push', name]);
    const [layout, unpacked] = [join(cli.directory, 'layout'), join(cli.directory, 'unpacked')];
    const copy = ['copy', '--src-tls-verify=false', `docker://${name}`, `oci:${layout}:1`];
    execFileSync('skopeo', copy, { stdio: 'pipe' });
    execFileSync('umoci', ['unpack', '--image', `${layout}:1`, unpacked], { stdio: 'pipe' });
    expect(listHere(join(unpacked, 'rootfs'))).toBe(seen);

    rmSync(cli.home, { recursive: true });
    await cli.ok(['pull', name]);
    expect(await listing(cli, name)).toBe(seen);
    const capabilities = await cli.ok(['run', '--rm', name, 'sh', '-c', `${TOOL}/getcap /d/tool`]);
    expect(capabilities).toBe('/d/tool cap_chown,cap_net_raw=ep\n');
    await cli.base();
  });

  test('have no more in them than what a RUN changed', async () => {
    const context = cli.context({
      Dockerfile: `FROM busybox
RUN mkdir /d && echo 1 > /d/a && echo 1 > /d/b && touch -d @1000000000 /d/a /d/b /d
RUN echo 1 > /d/a && touch -d @1000000000 /d/a && echo 2 > /d/b
`,
    });
    await cli.ok(['build', '-t', 'little', context]);
    const top = (await layersOf(cli, 'little')).at(-1)!;
    const paths = execFileSync('tar', ['-tf', blob(cli, top)], { encoding: 'utf8' });
    expect(paths).toBe('d/\nd/b\n');
  });

  test('show implied directories of others with the attributes that they have below', async () => {
    const archive = join(cli.directory, 'foreign.tar');
    const base = [
      ...[
        { name: 'tmp/', mode: 0o1777 },
        { name: 'd/', mode: 0o2750, uid: 5, gid: 6, mtime: 7_000_000_000n },
      ],
      ...[{ name: 'd/sub/', mode: 0o700, uid: 8 }, { name: 'd/sub/old' }],
    ];
    const layers = [
      base,
      [{ name: 'tmp/x' }, { name: 'd/sub/x' }, { name: 'new/x' }],
      [{ name: 'd/sub/.wh..wh..opq' }, { name: 'd/sub/y' }, { name: 'e/.wh.nothing' }],
    ];
    writeFileSync(archive, dockerArchive('foreign', layers.map(tarOf)));
    await cli.ok(['load', '-i', archive]);
    const context = cli.context({
      Dockerfile: `FROM foreign
COPY --from=busybox /bin /bin
RUN find tmp d new e -exec stat -c '%n %a %u:%g %Y' {} + | sort > /seen && touch d/sub/z
COPY --from=foreign /d /copied
RUN --mount=from=foreign,target=/mnt cd /mnt && find tmp d new e -exec stat -c '%n %a %u:%g %Y' {} + | sort > /mounted
RUN cp -p d/sub/y /y && cat /y > d/sub/y && touch -r /y d/sub/y && rm /y
`,
    });
    const tar = join(cli.directory, 'foreign-out.tar');
    await cli.ok(['build', '-t', 'onforeign', '-o', `type=tar,dest=${tar}`, context]);
    const expected = `d 2750 5:6 7
d/sub 700 8:0 0
d/sub/y 644 0:0 0
e 755 0:0 0
new 755 0:0 0
new/x 644 0:0 0
tmp 1777 0:0 0
tmp/x 644 0:0 0
`;
    const run = (...args: string[]) => cli.ok(['run', '--rm', 'onforeign', ...args]);
    expect(await run('cat', '/seen')).toBe(expected);
    expect(await run('cat', '/mounted')).toBe(expected);
    expect(await run('stat', '-c', '%a %u:%g', '/copied/sub', '/d', '/tmp')).toBe(
      '700 8:0\n2750 5:6\n1777 0:0\n',
    );
    const [layer] = (await layersOf(cli, 'onforeign')).slice(-3);
    const names = execFileSync('tar', ['-tf', blob(cli, layer!)], { encoding: 'utf8' });
    expect(names.split('\n').filter((path) => /^(d|tmp|new|e)\//.test(path))).toEqual([
      'd/',
      'd/sub/',
      'd/sub/z',
    ]);
    const listed = execFileSync('tar', ['-tvf', tar, '--numeric-owner'], { encoding: 'utf8' });
    expect(listed).toMatch(/^drwxrwxrwt 0\/0 .* tmp\/$/m);
    expect(listed).toMatch(/^drwxr-s--- 5\/6 .* d\/$/m);
  });
});

describe('the same inputs', () => {
  let clis: readonly Cli[];
  beforeEach(() => {
    clis = [withForm('erofs'), withForm('directory')];
  });
  afterEach(async () => {
    for (const cli of clis) await cli[Symbol.asyncDispose]();
  });

  const files = { one: '1\n', 'sub/two': '2\n' };
  const contextOf = (cli: Cli, dockerfile: string): string => {
    const context = cli.context({ Dockerfile: dockerfile, ...files });
    for (const name of [...Object.keys(files), 'sub']) utimesSync(join(context, name), 1e9, 1e9);
    return context;
  };

  test('give the same layers in another store, from another directory', async () => {
    const dockerfile = `FROM scratch
COPY one /a/
COPY --chown=5:6 sub /b
WORKDIR /c/d
COPY --link one /a/linked
`;
    const layers = [];
    for (const [index, cli] of clis.entries()) {
      const nested = cli.context({ [`${index}/empty`]: '' });
      cpSync(contextOf(cli, dockerfile), join(nested, 'renamed'), {
        recursive: true,
        preserveTimestamps: true,
      });
      await cli.ok(['build', '-t', 'same', join(nested, 'renamed')]);
      layers.push(await layersOf(cli, 'same'));
    }
    expect(layers[0]).toHaveLength(4);
    expect(layers[1]).toEqual(layers[0]);
  });

  test('give the same image with SOURCE_DATE_EPOCH, whenever and in whatever form it is built', async () => {
    const dockerfile = `FROM busybox
COPY . /src
RUN date > /dev/null && cat /src/one /src/sub/two > /both && mkdir -p /d/e && rm -r /tmp && mkdir -m 1777 /tmp
RUN ln /both /linked && touch /src && mv /d/e /d/f
`;
    const images = [];
    for (const cli of clis) {
      Object.assign(cli.environment, { SOURCE_DATE_EPOCH: '1700000000' });
      await cli.base();
      images.push(await cli.ok(['build', '-q', '-t', 'same', contextOf(cli, dockerfile)]));
    }
    expect(images[0]).toMatch(/^sha256:/);
    expect(images[1]).toBe(images[0]);
  });
});

test('a file of more than 8 GiB, nearly all of them a hole, is one in a layer, and takes no space', async () => {
  await using cli = withForm('erofs');
  await cli.base();
  const size = 2 ** 33 + 4;
  const context = cli.context({
    Dockerfile: 'FROM busybox\nRUN truncate -s 8G /large && echo end >> /large\n',
  });
  await cli.ok(['build', '-t', 'large', context]);
  const layer = blob(cli, (await layersOf(cli, 'large')).at(-1)!);
  expect(execFileSync('tar', ['-tvf', layer], { encoding: 'utf8' })).toContain(` ${size} `);
  for (const form of ['erofs', 'directory'] as const) {
    Object.assign(cli.environment, { TSBUILD_MOUNT_FORM: form });
    const script = 'stat -c %s /large; tail -c 4 /large; du -m /large | cut -f1';
    const [stat, tail, used] = (await cli.ok(['run', '--rm', 'large', 'sh', '-c', script])).split(
      '\n',
    );
    expect([stat, tail]).toEqual([String(size), 'end']);
    if (form === 'directory') expect(Number(used)).toBeLessThan(10);
  }
  const used = execFileSync('du', ['-sm', cli.home], { encoding: 'utf8' });
  expect(Number.parseInt(used, 10)).toBeLessThan(100);
}, 300_000);

function withForm(form: Form): Cli {
  const cli = createCli();
  Object.assign(cli.environment, { TSBUILD_MOUNT_FORM: form });
  return cli;
}

async function layersOf(cli: Cli, image: string): Promise<string[]> {
  return JSON.parse(await cli.ok(['inspect', image]))[0].RootFS.Layers;
}

/** The tar of a layer. */
function blob(cli: Cli, diffID: string): string {
  return join(cli.home, 'content/blobs/sha256', diffID.replace('sha256:', ''));
}

function copyTools(directory: string): void {
  mkdirSync(directory);
  for (const tool of TOOLS) {
    const libraries = execFileSync('ldd', [tool], { encoding: 'utf8' });
    for (const [path] of libraries.matchAll(/\/\S+(?= \(0x)/g)) {
      const name = path.includes('ld-linux') ? 'ld.so' : path.slice(path.lastIndexOf('/') + 1);
      cpSync(realpathSync(path), join(directory, name));
    }
    cpSync(tool, join(directory, tool.slice(tool.lastIndexOf('/') + 1)));
  }
}

/** What a container of the image sees. */
function listing(cli: Cli, image: string): Promise<string> {
  const env = ['-e', `GETFATTR=${TOOL}/getfattr`];
  return cli.ok(['run', '--rm', ...env, image, 'sh', '/scripts/list.sh']);
}

function listHere(directory: string): string {
  return execFileSync('/bin/busybox', ['sh', '-c', LISTING], {
    ...{ cwd: directory, encoding: 'utf8', maxBuffer: 1 << 28 },
    env: { GETFATTR: '/usr/bin/getfattr', PATH: join(directory, 'bin') },
  });
}

/** `docker save` of an image with these layers. */
function dockerArchive(tag: string, layers: readonly Buffer[]): Buffer {
  const config = JSON.stringify({
    ...{ architecture: process.arch === 'arm64' ? 'arm64' : 'amd64', os: 'linux' },
    config: { Env: ['PATH=/bin'] },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => digestOf(layer)) },
    history: layers.map(() => ({})),
  });
  const names = layers.map((_, index) => `layer-${index}.tar`);
  const manifest = JSON.stringify([
    { Config: 'config.json', RepoTags: [`${tag}:latest`], Layers: names },
  ]);
  return tarOf([
    ...layers.map((content, index) => ({ name: names[index]!, content })),
    { name: 'config.json', content: config },
    { name: 'manifest.json', content: manifest },
  ]);
}
