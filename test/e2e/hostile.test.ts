import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { tempNames } from '../helpers/aftermath.ts';
import { type HandMadeEntry, tarOf } from '../helpers/archives.ts';
import { type Cli, createCli } from '../helpers/cli.ts';
import { type FakeRegistry, startFakeRegistry } from '../helpers/registry.ts';
import { alterBody, status as answers, breakBody, type Fault } from '../helpers/registry-faults.ts';
import { putImage } from '../helpers/registry-images.ts';
import { data, END, file, header, octal, pax } from '../tar/raw-tar.ts';

let cli: Cli;
/** What an escape would write, or give away. */
let outside: string;
beforeAll(async () => {
  cli = createCli();
  outside = join(cli.directory, 'outside');
  mkdirSync(outside);
  await cli.base();
});
afterAll(() => cli[Symbol.asyncDispose]());
beforeEach(() => writeFileSync(join(outside, 'secret'), 'SECRET'));

let stores = 0;

/** A store that is not there yet. */
function freshStore(): { home: string; env: { TSBUILD_HOME: string } } {
  stores += 1;
  const home = join(cli.directory, `store-${stores}`);
  return { home, env: { TSBUILD_HOME: home } };
}

const sha256 = (bytes: Uint8Array | string) =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** What `docker save` writes, around a layer made by hand. */
function imageOf(layer: Buffer, diffID = sha256(layer)): HandMadeEntry[] {
  const config = {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [diffID] },
  };
  const manifest = [{ Config: 'config.json', RepoTags: ['evil:1'], Layers: ['layer.tar'] }];
  return [
    { name: 'manifest.json', content: JSON.stringify(manifest) },
    { name: 'config.json', content: JSON.stringify(config) },
    { name: 'layer.tar', content: layer },
  ];
}

/** Nothing was written beside the store, nor was what is there changed. */
function expectOutsideUntouched(): void {
  expect(readdirSync(outside)).toEqual(['secret']);
  expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('SECRET');
}

async function expectRefused(archive: Buffer, says: string, code = 'ARCHIVE'): Promise<void> {
  const { home, env } = freshStore();
  const { status, stdout, stderr } = await cli.run(['load', '-q'], { env, stdin: archive });
  expect(stderr).toContain(`[${code}]`);
  expect(stderr).toContain(says);
  expect([status, stdout]).toEqual([8, '']);
  expect(await cli.ok(['images', '-q'], { env })).toBe('');
  expect(tempNames(home)).toEqual([]);
  expect(readdirSync(join(home, 'content/blobs/sha256'))).toEqual([]);
  expectOutsideUntouched();
}

const link = (name: string, linkName: string): HandMadeEntry => ({ name, type: 'link', linkName });
const symlink = (name: string, linkName: string): HandMadeEntry => ({
  ...{ name, type: 'symlink', linkName, mode: 0o777 },
});
const HUGE = '77777777777\0';

describe('load refuses a layer', () => {
  test.each<[string, Buffer, string]>([
    ['dot-dot', tarOf([{ name: '../evil', content: 'x' }]), '../evil'],
    ['dot-dot-inside', tarOf([{ name: 'a/../../evil', content: 'x' }]), 'a/../../evil'],
    ['hardlink-outside-root', tarOf([link('evil', '../../outside/secret')]), 'evil'],
    ['hardlink-to-host', tarOf([link('evil', '/etc/passwd')]), 'evil'],
    ['hardlink-through-symlink', tarOf([symlink('a', '/etc'), link('evil', 'a/passwd')]), 'evil'],
    ['whiteout-of-nothing', tarOf([{ name: 'd/.wh.' }]), '.wh.'],
    ['whiteout-of-dot', tarOf([{ name: 'd/.wh..' }]), '.wh..'],
    ['whiteout-of-dot-dot', tarOf([{ name: 'd/.wh...' }]), '.wh...'],
    ['truncated', tarOf([{ name: 'cut', content: 'x'.repeat(5000) }]).subarray(0, 2000), 'cut'],
    ['no-end-in-header', file('cut', 'x').subarray(0, 300), ''],
    ['wrong-checksum', Buffer.concat([header({ name: 'evil', checksum: 'wrong' }), END]), ''],
    [
      'huge-declared-size',
      Buffer.concat([header({ name: 'evil', size: HUGE }), data('x'), END]),
      'evil',
    ],
    [
      'size-beyond-numbers',
      Buffer.concat([
        header({ name: 'evil', size: Buffer.alloc(12, 0x80 | 0x7f) }),
        data('x'),
        END,
      ]),
      'evil',
    ],
    ['name-with-nul', Buffer.concat([pax([['path', 'evil\0.txt']]), file('a', 'x'), END]), 'NUL'],
    ['component-too-long', tarOf([{ name: 'n'.repeat(300), content: 'x' }]), 'nnn'],
  ])('%s', async (_, layer, says) => {
    await expectRefused(tarOf(imageOf(layer)), says);
  });

  test('that is not what the configuration says', async () => {
    const layer = tarOf([{ name: 'a', content: 'a' }]);
    await expectRefused(tarOf(imageOf(layer, sha256('other'))), 'layer.tar', 'DIGEST_MISMATCH');
  });

  test('that is compressed badly', async () => {
    const layer = tarOf([{ name: 'a', content: 'a'.repeat(10_000) }]);
    const packed = gzipSync(layer);
    const cut = imageOf(layer).map((entry) =>
      entry.name === 'layer.tar' ? { ...entry, content: packed.subarray(0, 60) } : entry,
    );
    await expectRefused(tarOf(cut), 'layer.tar');
  });
});

describe('load refuses an archive', () => {
  const layer = tarOf([{ name: 'a', content: 'a' }]);
  const image = imageOf(layer);
  const without = (name: string) => image.filter((entry) => entry.name !== name);
  const layout = (blobs: readonly HandMadeEntry[], digest: string, size: number) => [
    { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    {
      name: 'index.json',
      content: JSON.stringify({
        schemaVersion: 2,
        manifests: [{ mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size }],
      }),
    },
    ...blobs,
  ];

  test.each<[string, () => Buffer, string, string?]>([
    ['layer-is-symlink-to-host', () => linked('layer.tar'), 'layer.tar'],
    ['config-is-symlink-to-host', () => linked('config.json'), 'config.json'],
    ['manifest-is-symlink-to-host', () => linked('manifest.json'), ''],
    [
      'layer-named-by-dot-dot',
      () => renamed({ Layers: ['../../outside/secret'] }),
      '../../outside/secret',
    ],
    ['config-named-by-absolute-path', () => renamed({ Config: '/etc/passwd' }), '/etc/passwd'],
    ['layer-missing', () => tarOf(without('layer.tar')), 'layer.tar'],
    ['cut-in-the-middle', () => tarOf(image).subarray(0, 2600), ''],
    ['empty', () => Buffer.alloc(0), ''],
    ['not-an-archive', () => Buffer.from('hello'.repeat(1000)), ''],
    ['manifest-is-no-json', () => tarOf([...without('manifest.json'), json('{"a":')]), 'manifest'],
    [
      'manifest-of-another-shape',
      () => tarOf([...without('manifest.json'), json('{}')]),
      'manifest',
    ],
    [
      'manifest-nested-deeply',
      () => tarOf([...without('manifest.json'), json('['.repeat(200_000))]),
      'manifest',
    ],
    [
      'blob-is-not-its-digest',
      () => tarOf(layout([blobEntry(sha256('a'), 'b')], sha256('a'), 1)),
      sha256('a').slice(7, 19),
      'DIGEST_MISMATCH',
    ],
    [
      'digest-leads-out',
      () => tarOf(layout([], 'sha256:../../../outside/secret', 6)),
      'manifests.0.digest',
      'MANIFEST',
    ],
  ])('%s', async (_, make, says, code) => {
    const { home, env } = freshStore();
    const { status, stdout, stderr } = await cli.run(['load', '-q'], { env, stdin: make() });
    expect(stderr).toMatch(code === undefined ? /\[(ARCHIVE|MANIFEST)\]/ : `[${code}]`);
    expect(stderr).toContain(says);
    expect(stderr).not.toContain('SECRET');
    expect(stderr).not.toContain('root:');
    expect([status, stdout]).toEqual([8, '']);
    expect(await cli.ok(['images', '-q'], { env })).toBe('');
    expect(tempNames(home)).toEqual([]);
    expectOutsideUntouched();
  });

  function linked(name: string): Buffer {
    return tarOf([...without(name), symlink(name, join(outside, 'secret'))]);
  }
  function renamed(changes: object): Buffer {
    const manifest = { Config: 'config.json', RepoTags: ['evil:1'], Layers: ['layer.tar'] };
    return tarOf([
      ...without('manifest.json'),
      json(JSON.stringify([{ ...manifest, ...changes }])),
    ]);
  }
  function json(content: string): HandMadeEntry {
    return { name: 'manifest.json', content };
  }
  function blobEntry(digest: string, content: string): HandMadeEntry {
    return { name: `blobs/${digest.replace(':', '/')}`, content };
  }
});

/** Layers that mean something, but not what a careless reader would make of them. */
const GAMES: readonly [string, readonly HandMadeEntry[]][] = [
  ['absolute-name', [{ name: '/evil', content: 'x' }]],
  ['write-through-absolute-symlink', [symlink('d', 'OUTSIDE'), { name: 'd/evil', content: 'x' }]],
  [
    'write-through-relative-symlink',
    [symlink('d', '../../../../../../OUTSIDE'), { name: 'd/evil', content: 'x' }],
  ],
  ['write-over-symlink', [symlink('secret', 'OUTSIDE/secret'), { name: 'secret', content: 'x' }]],
  [
    'directory-over-symlink',
    [symlink('d', 'OUTSIDE'), { name: 'd/' }, { name: 'd/evil', content: 'x' }],
  ],
  ['whiteout-through-symlink', [symlink('d', 'OUTSIDE'), { name: 'd/.wh.secret' }]],
  ['opaque-through-symlink', [symlink('d', 'OUTSIDE'), { name: 'd/.wh..wh..opq' }]],
  ['loop', [symlink('d', 'd'), { name: 'd/evil', content: 'x' }]],
];

describe('nothing gets out of the root', () => {
  const inside = (entries: readonly HandMadeEntry[]) =>
    entries.map((entry) => ({
      ...entry,
      ...(entry.linkName
        ? {
            linkName: entry.linkName.replace(
              'OUTSIDE',
              outside.slice(entry.linkName.startsWith('.') ? 1 : 0),
            ),
          }
        : {}),
    }));

  /** Writes the image's files as often as there are ways to. */
  async function writeOut(image: string, env: Record<string, string> = {}): Promise<void> {
    const context = cli.context({ Dockerfile: `FROM ${image}\nCOPY file /d/file\n`, file: 'x' });
    const plain = cli.context({ Dockerfile: `FROM ${image}\n` });
    for (const directory of [context, plain]) {
      const { status } = await cli.run(['build', '-o', join(directory, 'out'), directory], { env });
      expect([0, 4, 8]).toContain(status);
    }
    await cli.run(['run', '--rm', image, '/bin/true'], { env });
    expectOutsideUntouched();
  }

  test.each(GAMES)('by loading and writing out: %s', async (_, entries) => {
    const { env } = freshStore();
    const { status, stderr } = await cli.run(['load', '-q'], {
      env,
      stdin: tarOf(imageOf(tarOf(inside(entries)))),
    });
    expectOutsideUntouched();
    if (status === 0) await writeOut('evil:1', env);
    else expect([status, stderr]).toEqual([8, expect.stringContaining('[ARCHIVE]')]);
  });

  test.each(GAMES)('by ADD: %s', async (name, entries) => {
    const context = cli.context({
      Dockerfile: 'FROM busybox\nADD evil.tar /in/\nRUN ls -lR /in\n',
    });
    writeFileSync(join(context, 'evil.tar'), tarOf(inside(entries)));
    const { status, stderr } = await cli.run(['build', '-t', `added:${name}`, context]);
    expectOutsideUntouched();
    if (status === 0) await writeOut(`added:${name}`);
    else {
      expect(stderr).toMatch(/\[(ARCHIVE|CONTEXT|COPY_SOURCE)\]/);
      expect(stderr).toContain('Dockerfile:2');
      expect([4, 8]).toContain(status);
    }
  });

  test.each<[string, Buffer, string]>([
    ['dot-dot', tarOf([{ name: '../../evil', content: 'x' }]), '../../evil'],
    ['hardlink-to-host', tarOf([link('evil', '/etc/shadow')]), 'evil'],
    [
      'huge-declared-size',
      Buffer.concat([header({ name: 'evil', size: HUGE }), data('x'), END]),
      'evil',
    ],
    ['truncated', tarOf([{ name: 'cut', content: 'x'.repeat(5000) }]).subarray(0, 2000), 'cut'],
    [
      'wrong-checksum',
      Buffer.concat([
        file('a', 'a'),
        header({ name: 'evil', checksum: 'wrong', size: octal(0) }),
        END,
      ]),
      '',
    ],
  ])('ADD refuses %s, saying where', async (_, archive, says) => {
    const context = cli.context({ Dockerfile: 'FROM scratch\nADD evil.tar /in/\n' });
    writeFileSync(join(context, 'evil.tar'), archive);
    const { status, stderr } = await cli.run(['build', '-q', context]);
    expect(stderr).toContain('[ARCHIVE]');
    expect(stderr).toContain('Dockerfile:2');
    expect(stderr).toContain(says);
    expect(status).toBe(8);
    expect(tempNames(cli.home)).toEqual([]);
    expectOutsideUntouched();
  });
});

describe('pull refuses a registry that', () => {
  let registry: FakeRegistry;
  beforeAll(async () => {
    registry = await startFakeRegistry();
  });
  afterAll(() => registry[Symbol.asyncDispose]());

  const blobs = { method: 'GET', path: '/blobs/' };
  const manifests = { path: '/manifests/' };
  const page = '<html>sign in</html>';

  test.each<[string, Fault, number, string]>([
    [
      'sends another layer',
      alterBody((body) => Buffer.concat([body.subarray(1), Buffer.from('x')]), blobs),
      8,
      'DIGEST_MISMATCH',
    ],
    [
      'sends more than it said',
      alterBody((body) => Buffer.concat([body, body]), blobs),
      8,
      'DIGEST_MISMATCH',
    ],
    [
      'sends another manifest',
      alterBody((body) => Buffer.from(`${body} `), { ...manifests, method: 'GET' }),
      8,
      'DIGEST_MISMATCH',
    ],
    [
      'answers with a page',
      answers(200, manifests, { 'content-type': 'text/html' }, page),
      7,
      'REGISTRY',
    ],
    ['has nothing there', answers(404, manifests), 6, 'IMAGE_NOT_FOUND'],
    ['refuses', answers(403, manifests), 7, 'REGISTRY_AUTH'],
  ])('%s', async (_, fault, exit, code) => {
    putImage(registry, { repository: 'team/app', tag: '1' });
    const { home, env } = freshStore();
    const name = `${registry.host}/team/app:1`;
    registry.faults.push(...Array.from({ length: 20 }, () => fault));
    const { status, stdout, stderr } = await cli.run(['pull', '-q', name], { env });
    registry.faults.splice(0);
    expect(stderr).toContain(`[${code}]`);
    expect([status, stdout]).toEqual([exit, '']);
    expect(await cli.ok(['images', '-q'], { env })).toBe('');
    expect(existsSync(home) ? tempNames(home) : []).toEqual([]);
    await cli.ok(['pull', '-q', name], { env });
  });

  test('but not one that breaks a connection once', async () => {
    putImage(registry, { repository: 'team/app', tag: '1' });
    const { env } = freshStore();
    registry.faults.push(breakBody(20, 'reset', blobs));
    await cli.ok(['pull', '-q', `${registry.host}/team/app:1`], { env });
    expect(registry.faults).toEqual([]);
  });
});

// Each runtime treats the flags of a root in its own way.
test.each(['crun', 'runc'])('a RUN opens no device that it makes, by %s', async (runtime) => {
  const context = cli.context({
    Dockerfile: 'FROM busybox\nRUN mknod /zero c 1 5 && ! head -c 1 /zero && echo x > /written\n',
  });
  const env = { TSBUILD_RUNTIME: runtime };
  const args = ['build', '--no-cache', '--progress=plain', context];
  const { status, stderr } = await cli.run(args, { env });
  expect(status, stderr).toBe(0);
  expect(stderr).toContain('Permission denied');
});
