import {
  closeSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MNT_DETACH, MS_RDONLY, mount, umount } from '../../src/host/syscalls.ts';
import { erofsImage } from '../../src/layer/erofs.ts';
import { mountImage } from '../../src/layer/erofs-mount.ts';
import { columnsOf } from '../../src/layer/index-file.ts';
import type { Layer, LayerEntry, LayerIndex } from '../../src/layer/layer.ts';
import { lowerEntries } from '../../src/layer/lower.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Content } from '../../src/tree/file-tree.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { arbitraryLayer, hostileIndex } from './arbitrary-layer.ts';
import { IMPOSSIBLE } from './impossible.ts';
import { make, type Packed, packLayer } from './pack.ts';
import { enterPrivateMounts } from './private-mounts.ts';
import { expected, readBack } from './read-back.ts';

enterPrivateMounts();

describe('what the kernel sees of a layer as EROFS', () => {
  it('is every type, mode, owner, time, attribute and byte', () => {
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
    const tool = make.file({
      mode: 0o4755,
      uid: 5,
      gid: 6,
      inode: '1',
      xattrs: { 'security.capability': capability },
    });
    const data = 'x'.repeat(3_000_001);
    expectSame([
      { path: '', node: make.directory({ mode: 0o1777, mtime: -5n }) },
      { path: 'bin', node: make.directory({ mode: 0o2511, uid: 1000, gid: 4_000_000_000 }) },
      { path: 'bin/tool', node: tool, data },
      { path: 'bin/alias', node: tool, data },
      { path: 'bin/empty', node: make.file({ mode: 0o000, mtime: -1n }) },
      { path: 'bin/link', node: make.symlink('/etc/passwd', { uid: 9 }) },
      {
        path: 'bin/\udcff\udcfe',
        node: make.symlink('\udc80', { xattrs: { 'trusted.x': Buffer.of(0, 1) } }),
      },
      { path: 'dev', node: make.directory() },
      { path: 'dev/null', node: make.device('char', 1, 3, { mode: 0o666 }) },
      { path: 'dev/disk', node: make.device('block', 259, 70_000) },
      { path: 'dev/largest', node: make.device('block', 4095, 0xfffff) },
      { path: 'dev/pipe', node: make.fifo({ uid: 3 }) },
      { path: 'gone', whiteout: true },
      { path: 'fresh', node: make.directory(), opaque: true },
      { path: 'implicit/file', node: make.file(), data: 'hello' },
    ]);
  });

  it('is an empty root for an empty layer', () => expectSame([]));

  it('is a symlink of any length, whether it fits behind its inode or not', () => {
    const lengths = [1, 300, 446, 447, 448, 449, 450, 511, 512, 513, 1024, 4094, 4095];
    expectSame(
      lengths.map((length) => ({ path: `link-${length}`, node: make.symlink('t'.repeat(length)) })),
    );
  });

  it('is a file of any length', () => {
    const lengths = [0, 1, 511, 512, 513, 1023, 1024, 1025, 4095, 4096, 4097, 65_535, 1 << 20];
    expectSame(
      lengths.map((length) => ({
        path: `file-${length}`,
        node: make.file(),
        data: 'd'.repeat(length),
      })),
    );
  });

  it('is every name of a directory, in blocks that end anywhere, around . and ..', () => {
    const names = [
      '!',
      '-',
      ',',
      '.-',
      '.a',
      '..a',
      '...',
      'é'.repeat(127),
      'x'.repeat(255),
      '\udcff',
      '￿',
      '😀',
    ];
    const numbered = Array.from({ length: 700 }, (_, at) => `${'n'.repeat(at % 250)}${at}`);
    expectSame([...names, ...numbered].map((name) => ({ path: `d/${name}`, node: make.file() })));
  });

  it('is a directory of every size up to some blocks', () => {
    const directories = Array.from({ length: 80 }, (_, count) => [
      {
        path: `d${count}`,
        node: make.directory({ xattrs: count % 3 ? {} : { 'user.x': Buffer.alloc(count * 5) } }),
      },
      ...Array.from({ length: count }, (_, at) => ({ path: `d${count}/${at}`, node: make.fifo() })),
    ]);
    expectSame(directories.flat());
  });

  it('is attributes of any size and namespace', () => {
    const acl = Buffer.from('0200000001000600ffffffff04000400ffffffff20000400ffffffff', 'hex');
    const sizes = [0, 1, 3, 4, 100, 430, 511, 512, 513, 5000, 65_535];
    expectSame([
      ...sizes.map((size) => ({
        path: `size-${size}`,
        node: make.file({
          xattrs: {
            'user.value': Buffer.alloc(size, 0xee),
            'trusted.after': Buffer.of(size & 0xff),
          },
        }),
        data: 'content',
      })),
      {
        path: 'many',
        node: make.directory({
          xattrs: Object.fromEntries(
            Array.from({ length: 200 }, (_, at) => [`user.name-${at}`, Buffer.alloc(at)]),
          ),
        }),
      },
      {
        path: 'acl',
        node: make.directory({
          xattrs: { 'system.posix_acl_access': acl, 'system.posix_acl_default': acl },
        }),
      },
      { path: 'long', node: make.file({ xattrs: { [`user.${'n'.repeat(250)}`]: Buffer.of(1) } }) },
      {
        path: 'link',
        node: make.symlink('t'.repeat(400), { xattrs: { 'trusted.l': Buffer.alloc(70) } }),
      },
    ]);
  });

  it('lacks attributes of namespaces that no filesystem stores', () => {
    const { root } = mountPacked([
      { path: 'a', node: make.file({ xattrs: { 'system.nonsense': Buffer.of(1) } }) },
    ]);
    expect(readBack(root).a!.xattrs).toEqual({});
  });

  it('is one file under several names, of any type', () => {
    const file = make.file({ inode: 'f' });
    const device = make.device('char', 5, 1, { inode: 'd' });
    expectSame([
      { path: 'a', node: file, data: 'one' },
      { path: 'b/c', node: file, data: 'one' },
      { path: 'b/d', node: file, data: 'one' },
      { path: 'd1', node: device },
      { path: 'd2', node: device },
    ]);
  });

  it('is a directory with a link from each directory in it, which find(1) counts on', () => {
    const { root } = mountPacked([
      { path: 'a/b/c', node: make.directory() },
      { path: 'a/d', node: make.directory() },
    ]);
    const links = ['', 'a', 'a/b', 'a/d'].map((path) => statSync(join(root, path)).nlink);
    expect(links).toEqual([3, 4, 3, 2]);
  });

  it('is any tree whatever', () => {
    fc.assert(
      fc.property(arbitraryLayer(), (packed) => expectSame(packed)),
      { numRuns: 60 },
    );
  });

  it('is the content of files beyond 8 GiB, and of one beyond a chunk', () => {
    const directory = tempDirectory();
    const { layer, index } = sparseLayer(directory, [
      { path: 'small', offset: 9 * GIB, size: 5 },
      { path: 'large', offset: 10 * GIB, size: 20 * GIB + 7 },
      { path: 'huge', offset: 31 * GIB, size: 1025 * GIB + 9 },
    ]);
    const root = mountErofs(directory, layer, index);
    for (const { path, node } of lowerEntries(index).filter(({ node }) => node.type === 'file')) {
      const fd = openSync(join(root, path), 'r');
      const end = Buffer.alloc(8);
      const length = readSync(fd, end, 0, 8, node.size - 5);
      closeSync(fd);
      expect([path, length, end.toString('latin1', 0, length)]).toEqual([
        path,
        5,
        path.padEnd(5).slice(0, 5),
      ]);
    }
  });
});

describe('a hostile index', () => {
  it('is refused, or gives an image that the kernel can read to the end', () => {
    let mounted = 0;
    fc.assert(
      fc.property(hostileIndex(), (entries) => {
        const directory = tempDirectory();
        const { layer } = packLayer(directory, [
          { path: 'x', node: make.file(), data: 'y'.repeat(5000) },
        ]);
        const index = {
          entries: new Map(entries.map((entry) => [entry.path, withTar(entry, layer.tar)])),
        };
        try {
          imageOf(layer, index);
        } catch (error) {
          expect(['ARCHIVE', 'UNSUPPORTED_HOST']).toContain((error as { code?: string }).code);
          return;
        }
        readBack(mountErofs(directory, layer, index));
        mounted += 1;
      }),
      { numRuns: 300 },
    );
    expect(mounted).toBeGreaterThan(30);
  });
});

describe('an overlay on EROFS', () => {
  it('hides what whiteouts and opaque directories delete below', () => {
    const lower = mountPacked([
      { path: 'gone', node: make.file(), data: 'x' },
      { path: 'kept', node: make.file(), data: 'kept' },
      { path: 'refilled/old', node: make.file(), data: 'x' },
      { path: 'merged/old', node: make.file(), data: 'x' },
    ]);
    const upper = mountPacked([
      { path: 'gone', whiteout: true },
      { path: 'refilled', node: make.directory(), opaque: true },
      { path: 'refilled/new', node: make.file(), data: 'y' },
      { path: 'merged/new', node: make.file(), data: 'y' },
    ]);
    const merged = join(tempDirectory(), 'merged');
    mkdirSync(merged);
    mount('overlay', merged, 'overlay', MS_RDONLY, `lowerdir=${upper.root}:${lower.root}`);
    const seen = Object.keys(readBack(merged));
    umount(merged, MNT_DETACH);
    expect(seen).toEqual([
      '',
      'kept',
      'merged',
      'merged/new',
      'merged/old',
      'refilled',
      'refilled/new',
    ]);
  });
});

describe('the EROFS image', () => {
  it('is the same for the same layer', () => {
    fc.assert(
      fc.property(arbitraryLayer(), (packed) => {
        const { layer, index } = packLayer(tempDirectory(), packed);
        expect(imageOf(layer, index)).toEqual(imageOf(layer, index));
      }),
      { numRuns: 5 },
    );
  });

  it.each<[string, LayerEntry]>([
    [
      'content in no file',
      { path: 'a', node: make.file({ size: 1, content: { bytes: Buffer.of(1) } }) },
    ],
    ['content that does not start at a block', { path: 'a', node: contentAt('layer.tar', 513, 1) }],
    ['content that ends after the tar', { path: 'a', node: contentAt('layer.tar', 512, 100_000) }],
    ['a file without content', { path: 'a', node: make.file({ size: 1 }) }],
    [
      'an attribute of 64 KiB',
      { path: 'a', node: make.file({ xattrs: { 'user.a': Buffer.alloc(65_536) } }) },
    ],
    ['attributes of 256 KiB', { path: 'a', node: make.file({ xattrs: manyXattrs(5, 60_000) }) }],
  ])('is refused for %s, naming the entry', (_, entry) => {
    const layer: Layer = { diffID: digestOf('x'), size: 1024, tar: 'layer.tar', index: '' };
    expect(() => imageOf(layer, { entries: new Map([[entry.path, entry]]) })).toThrowError(
      expect.objectContaining({
        code: 'UNSUPPORTED_HOST',
        message: expect.stringMatching(/of a\b/),
      }),
    );
  });

  it.each(IMPOSSIBLE)('is refused for %s', (_, __, entries) => {
    const layer: Layer = { diffID: digestOf('x'), size: 1024, tar: 'layer.tar', index: '' };
    const index = { entries: new Map(entries.map((entry) => [entry.path, entry])) };
    expect(() => imageOf(layer, index)).toThrowError(expect.objectContaining({ code: 'ARCHIVE' }));
  });

  it('is refused for a tar of two terabytes, whose blocks have no numbers', () => {
    const layer: Layer = { diffID: digestOf('x'), size: 2 ** 41, tar: 'layer.tar', index: '' };
    expect(() => imageOf(layer, { entries: new Map() })).toThrowError(/too large/);
  });
});

const GIB = 2 ** 30;

function imageOf(layer: Layer, index: LayerIndex): Buffer {
  return erofsImage(layer, columnsOf(index.entries.values(), layer));
}

function contentAt(file: string, offset: number, size: number) {
  return make.file({ size, content: { file, offset, size } });
}

function manyXattrs(count: number, size: number) {
  return Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`user.${at}`, Buffer.alloc(size)]),
  );
}

/** As an index can hold it: device numbers of 32 bits. */
function withTar(entry: LayerEntry, tar: string): LayerEntry {
  if (!('node' in entry) || entry.node.content === undefined) return entry;
  const content = { ...entry.node.content, file: tar } as Content;
  const device = { major: 5, minor: (entry.node.device?.minor ?? 0) >>> 0 };
  return { ...entry, node: { ...entry.node, content, device } };
}

function expectSame(packed: readonly Packed[]): void {
  const { root, index } = mountPacked(packed);
  const data = new Map(
    packed.map((entry) => [entry.path, 'data' in entry ? entry.data : undefined]),
  );
  const want = expected(lowerEntries(index), ({ path }) =>
    Buffer.from((data.get(path) ?? '') as string),
  );
  expect(readBack(root)).toEqual(want);
}

function mountPacked(packed: readonly Packed[]): { root: string; index: LayerIndex } {
  const directory = tempDirectory();
  const { layer, index } = packLayer(directory, packed);
  return { root: mountErofs(directory, layer, index), index };
}

function mountErofs(directory: string, layer: Layer, index: LayerIndex): string {
  const image = join(directory, 'layer.erofs');
  const target = join(directory, 'mounted');
  writeFileSync(image, imageOf(layer, index));
  mkdirSync(target);
  mountImage({ image, tar: layer.tar, target, backing: 'files' });
  onTestFinished(() => umount(target, MNT_DETACH));
  return target;
}

/** A tar of holes, with the first letters of each path as the last bytes of its content. */
function sparseLayer(
  directory: string,
  files: readonly { path: string; offset: number; size: number }[],
) {
  const tar = join(directory, 'layer.tar');
  const fd = openSync(tar, 'w');
  const entries = files.map(({ path, offset, size }): LayerEntry => {
    writeSync(fd, path.padEnd(5), offset + size - 5, 'latin1');
    return { path, node: contentAt(tar, offset, size) };
  });
  closeSync(fd);
  const last = files.at(-1)!;
  const size = Math.ceil((last.offset + last.size) / 512) * 512;
  truncateSync(tar, size);
  return {
    layer: { diffID: digestOf<Layer['diffID']>('sparse'), size, tar, index: '' },
    index: { entries: new Map(entries.map((entry) => [entry.path, entry])) },
  };
}
