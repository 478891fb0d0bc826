import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readIndex } from '../../src/layer/index-file.ts';
import type { LayerInput } from '../../src/layer/layer.ts';
import { scanLayer } from '../../src/layer/scan.ts';
import { writeLayer } from '../../src/layer/write.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { FileNode } from '../../src/tree/file-tree.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { anyInputs, directoryOf, fileOf, meaningOf, symlinkTo } from './tree-builder.ts';

function write(inputs: readonly LayerInput[], sourceDateEpoch?: number) {
  return writeLayer(inputs, {
    directory: tempDirectory(),
    ...(sourceDateEpoch !== undefined && { sourceDateEpoch }),
  });
}

/** A file on this host, as a context gives it. */
function hostFile(path: string, more: Partial<FileNode> = {}): FileNode {
  const { size: bytes, ctimeNs: ctime } = statSync(path, { bigint: true });
  const size = Number(bytes);
  return fileOf('', { size, content: { file: path, offset: 0, size, ctime }, ...more });
}

function bytesOf(node: FileNode): Buffer {
  const { file, offset, size } = node.content as { file: string; offset: number; size: number };
  return readFileSync(file).subarray(offset, offset + size);
}

describe('a layer that is written', () => {
  test('says the same by its index, by a scan of its tar, and as it was asked for', () => {
    fc.assert(
      fc.property(anyInputs, (inputs) => {
        const layer = write(inputs);
        const wanted = meaningOf(inputs);
        expect(meaningOf(readIndex(layer).entries.values())).toEqual(wanted);
        expect(meaningOf(scanLayer(layer.tar, layer.diffID))).toEqual(wanted);
      }),
      { numRuns: 100 },
    );
  });

  test('has a tar with the digest and size that it says, and contents with theirs', () => {
    const layer = write([
      { path: 'dir', node: directoryOf() },
      { path: 'dir/a', node: fileOf('hello') },
      { path: 'dir/empty', node: fileOf('') },
    ]);
    const tar = readFileSync(layer.tar);
    expect(layer.size).toBe(tar.length);
    expect(layer.diffID).toBe(digestOf(tar));
    for (const [path, text] of [
      ['dir/a', 'hello'],
      ['dir/empty', ''],
    ] as const) {
      const entry = readIndex(layer).entries.get(path)!;
      if (!('node' in entry)) throw new Error('no node');
      expect(bytesOf(entry.node).toString()).toBe(text);
      expect(entry.node.sha256).toBe(createHash('sha256').update(text).digest('hex'));
    }
  });

  test('is the same for the same input', () => {
    const inputs = fc
      .sample(anyInputs, { numRuns: 5, seed: 7 })
      .map((list) => [write(list), write(list)] as const);
    for (const [one, other] of inputs) {
      expect(one.diffID).toBe(other.diffID);
      expect(readFileSync(one.index).equals(readFileSync(other.index))).toBe(true);
    }
  });

  test('holds files of any size whole, read from this host or from another layer', () => {
    const directory = tempDirectory();
    const sizes = [0, 1, 511, 512, 1024 * 1024 - 512, 1024 * 1024, 1024 * 1024 + 1, 3_500_000];
    const contents = sizes.map((size) => Buffer.alloc(size, `content of ${size} `));
    const inputs = contents.map((bytes, i) => {
      const path = join(directory, `${i}`);
      writeFileSync(path, bytes);
      return { path: `f${i}`, node: hostFile(path) };
    });
    const first = write(inputs);
    const copies = [...readIndex(first).entries.values()].flatMap((entry) =>
      'node' in entry ? [entry] : [],
    );
    const second = write(copies.map(({ path, node: { sha256, ...node } }) => ({ path, node })));
    expect(second.diffID).toBe(first.diffID);
    const found = [...readIndex(second).entries.values()].map(
      (entry) => ('node' in entry ? entry.node : undefined)!,
    );
    expect(found.map((node) => bytesOf(node).equals(contents[sizes.indexOf(node.size)]!))).toEqual(
      sizes.map(() => true),
    );
    expect(found.map((node) => node.sha256)).toEqual(
      contents.map((bytes) => createHash('sha256').update(bytes).digest('hex')),
    );
  });

  test('takes a content hash that is known on trust', () => {
    const sha256 = 'ab'.repeat(32);
    const entry = readIndex(write([{ path: 'a', node: fileOf('x', { sha256 }) }])).entries.get('a');
    expect(entry).toMatchObject({ node: { sha256 } });
  });

  test('clamps times that are later than SOURCE_DATE_EPOCH, and only those', () => {
    const [early, late] = [5_000_000_001n, 5_000_000_000_000n];
    const layer = write(
      [
        { path: 'early', node: fileOf('', { mtime: early }) },
        { path: 'late', node: symlinkTo('x', { mtime: late }) },
      ],
      1000,
    );
    const times = [...scanLayer(layer.tar)].map((entry) => 'node' in entry && entry.node.mtime);
    expect(times).toEqual([early, 1_000_000_000_000n]);
  });

  test('stores hard links once', () => {
    const shared = fileOf('x'.repeat(5000), { inode: '1:2' });
    const layer = write([
      { path: 'a', node: shared },
      { path: 'b', node: shared },
      { path: 'c', node: { ...shared, inode: '1:3' } },
    ]);
    expect(execFileSync('tar', ['-tvf', layer.tar]).toString()).toContain('b link to a');
    const [a, b, c] = [...readIndex(layer).entries.values()].map(
      (entry) => ('node' in entry ? entry.node : undefined)!,
    );
    expect(a!.inode).toBeDefined();
    expect(b).toEqual(a);
    expect(c!.inode).toBeUndefined();
  });

  test('marks deletions as the image spec says', () => {
    const layer = write([
      { path: 'dir', node: directoryOf(), opaque: true },
      { path: 'dir/gone', whiteout: true },
      { path: 'top', whiteout: true },
    ]);
    expect(execFileSync('tar', ['-tf', layer.tar]).toString().trim().split('\n')).toEqual([
      'dir/',
      'dir/.wh..wh..opq',
      'dir/.wh.gone',
      '.wh.top',
    ]);
  });

  test('may say what the root is like', () => {
    const layer = write([
      { path: '', node: directoryOf({ mode: 0o700 }) },
      { path: 'a', node: fileOf('') },
    ]);
    expect(execFileSync('tar', ['-tf', layer.tar]).toString()).toBe('./\na\n');
    expect(readIndex(layer).entries.get('')).toMatchObject({ node: { mode: 0o700 } });
  });

  test('may be empty', () => {
    const layer = write([]);
    expect(layer.size).toBe(1024);
    expect([...readIndex(layer).entries]).toEqual([]);
  });
});

describe('writing fails', () => {
  const write1 = (node: FileNode) => () =>
    write([
      { path: 'dir', node: directoryOf() },
      { path: 'dir/file', node },
    ]);

  test.each([
    ['grew', (path: string) => appendFileSync(path, 'y')],
    ['shrank', (path: string) => truncateSync(path, 10)],
    ['was emptied', (path: string) => truncateSync(path, 0)],
  ])('when a file %s since it was listed', (_, change) => {
    for (const size of [1000, 2 * 1024 * 1024]) {
      const path = join(tempDirectory(), 'file');
      writeFileSync(path, Buffer.alloc(size));
      const node = hostFile(path);
      change(path);
      expect(write1(node)).toThrow(
        expect.objectContaining({
          code: 'CONTEXT',
          message: 'read dir/file: the file changed while it was read',
          retryable: true,
        }),
      );
    }
  });

  test.each([
    ['is missing', () => {}, 'ENOENT'],
    ['became a symlink', (path: string) => symlinkSync('/etc/passwd', path), 'ELOOP'],
    ['became a directory', (path: string) => mkdirSync(path), 'EISDIR'],
    [
      'became a fifo that nobody writes to',
      (path: string) => execFileSync('mkfifo', [path]),
      'changed|ESPIPE|EINVAL',
    ],
  ])('when a file %s', (_, make, why) => {
    const path = join(tempDirectory(), 'file');
    make(path);
    const node = fileOf('', { size: 10, content: { file: path, offset: 0, size: 10 } });
    expect(write1(node)).toThrow(
      expect.objectContaining({
        code: 'CONTEXT',
        message: expect.stringMatching(`^read dir/file: .*(${why})`),
      }),
    );
  });

  test('for a name that marks deletions in layers', () => {
    expect(() => write([{ path: 'dir/.wh.file', node: fileOf('') }])).toThrow(
      expect.objectContaining({
        code: 'CONTEXT',
        message: expect.stringContaining('dir/.wh.file'),
      }),
    );
  });

  test('when the target is there already, which is left alone', () => {
    const directory = tempDirectory();
    writeFileSync(join(directory, 'layer.tar'), 'mine');
    expect(() => writeLayer([], { directory })).toThrow(expect.objectContaining({ code: 'STORE' }));
    expect(readFileSync(join(directory, 'layer.tar'), 'utf8')).toBe('mine');
  });

  test('without leaving files open', () => {
    const open = () =>
      execFileSync('ls', [`/proc/${process.pid}/fd`])
        .toString()
        .split('\n').length;
    const before = open();
    for (let i = 0; i < 100; i += 1) {
      expect(
        write1(fileOf('', { size: 1, content: { file: '/nowhere', offset: 0, size: 1 } })),
      ).toThrow();
    }
    // Others in this process open files, too, but not as many.
    expect(open()).toBeLessThan(before + 50);
  });
});
