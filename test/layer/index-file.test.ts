import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { columnsOf, hasMarks, indexReader, readIndex } from '../../src/layer/index-file.ts';
import { viewOf } from '../../src/layer/index-view.ts';
import type { LayerView } from '../../src/layer/layer.ts';
import { writeLayer } from '../../src/layer/write.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { anyInputs, directoryOf, fileOf, meaningOf, symlinkTo } from './tree-builder.ts';

const inputs = [
  { path: 'b', node: directoryOf({ mode: 0o711 }), opaque: true },
  {
    path: 'b/z',
    node: fileOf('z', { xattrs: { 'user.bin': Buffer.of(0, 255, 10), __proto__x: Buffer.of(1) } }),
  },
  { path: 'b/a\udcff', node: symlinkTo('\udcfe', { mtime: -1n }) },
  { path: 'a/implicit/deep', node: fileOf('', { size: 0, uid: 4_000_000_000 }) },
  { path: 'gone', whiteout: true as const },
];

const write = () => writeLayer(inputs, { directory: tempDirectory() });

function find(view: LayerView, path: string): number {
  return path
    .split('/')
    .reduce((record, name) => (record < 0 ? record : view.child(record, name)), 0);
}

describe('an index', () => {
  test('keeps the order of the tar', () => {
    expect([...readIndex(write()).entries.keys()]).toEqual([
      'b',
      'b/z',
      'b/a\udcff',
      'a/implicit/deep',
      'gone',
    ]);
  });

  test('finds single paths, without the others', () => {
    const view = readIndex(write());
    expect(view.nodeOf(find(view, 'b/z'))).toMatchObject({
      size: 1,
      xattrs: { 'user.bin': Uint8Array.of(0, 255, 10) },
    });
    expect(view.nodeOf(find(view, 'b/a\udcff'))).toMatchObject({
      linkTarget: '\udcfe',
      mtime: -1n,
    });
    expect(view.isOpaque(find(view, 'b'))).toBe(true);
    expect(view.kindOf(find(view, 'gone'))).toBe('whiteout');
    expect(view.isImplicit(find(view, 'a/implicit'))).toBe(true);
    expect(view.nodeOf(find(view, 'a'))).toMatchObject({ type: 'directory', mode: 0o755, uid: 0 });
    for (const path of ['c', 'b/y', 'b/z/below', 'a/implicit/deep/er'])
      expect(find(view, path)).toBe(-1);
  });

  test('has every path of any tree where the map has it', () => {
    fc.assert(
      fc.property(anyInputs, (any) => {
        const view = readIndex(writeLayer(any, { directory: tempDirectory() }));
        for (const [path, entry] of view.entries) {
          const record = find(view, path);
          if ('whiteout' in entry) expect(view.kindOf(record)).toBe('whiteout');
          else expect(view.nodeOf(record)).toEqual(entry.node);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('can be had of entries without a file', () => {
    const layer = write();
    const view = viewOf(columnsOf(readIndex(layer).entries.values(), layer), layer);
    expect(meaningOf(view.entries.values())).toEqual(meaningOf(readIndex(layer).entries.values()));
  });
});

describe('directories that a tar does not list', () => {
  const layer = (...paths: string[]) =>
    writeLayer(
      paths.map((path) => ({ path, node: path.endsWith('/x') ? fileOf('x') : directoryOf() })),
      { directory: tempDirectory() },
    );

  test.each([
    ['a layer of its root', [''], []],
    ['a layer that lists all', ['a', 'a/b', 'a/b/x'], []],
    ['a layer that does not', ['a', 'a/b/x', 'c/d/x'], ['c', 'a/b', 'c/d']],
  ])('are known of %s, by its index and without', (_, paths, expected) => {
    const written = layer(...paths);
    expect(readIndex(written).pathsOf('implicit')).toEqual(expected);
    for (let pass = 0; pass < 2; pass += 1) {
      expect(hasMarks(written)).toBe(expected.length > 0);
      rmSync(written.index, { force: true });
    }
  });
});

describe('a damaged index is made again from the tar', () => {
  const flip = (at: number) => (bytes: Buffer) => {
    bytes[at < 0 ? bytes.length + at : at]! ^= 1;
    return bytes;
  };
  test.each<[string, (bytes: Buffer) => Buffer | undefined]>([
    ['missing', () => undefined],
    ['empty', () => Buffer.alloc(0)],
    ['cut', (bytes) => bytes.subarray(0, 100)],
    ['longer', (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])],
    ['zeros', (bytes) => Buffer.alloc(bytes.length)],
    ['of another version or byte order', flip(4)],
    ['with another count', flip(8)],
    ['of another tar', flip(17)],
    ['with a flipped bit', flip(60)],
    ['with a flipped bit in a name', flip(-40)],
    ['with another hash', flip(-1)],
  ])('when it is %s', (_, damage) => {
    const layer = write();
    const good = meaningOf(readIndex(layer).entries.values());
    const bytes = damage(readFileSync(layer.index));
    rmSync(layer.index);
    if (bytes !== undefined) writeFileSync(layer.index, bytes);
    expect(meaningOf(readIndex(layer).entries.values())).toEqual(good);
    const { mtimeNs } = statSync(layer.index, { bigint: true });
    expect(meaningOf(readIndex(layer).entries.values())).toEqual(good);
    expect(statSync(layer.index, { bigint: true }).mtimeNs).toBe(mtimeNs);
  });

  test('but not when the tar is bad too', () => {
    const layer = write();
    writeFileSync(layer.tar, readFileSync(layer.tar).subarray(0, 700));
    rmSync(layer.index);
    expect(() => readIndex(layer)).toThrow(expect.objectContaining({ code: 'ARCHIVE' }));
    expect(existsSync(layer.index)).toBe(false);
  });

  test('an index that cannot be read is an error', () => {
    const layer = write();
    expect(() => readIndex({ ...layer, index: tempDirectory() })).toThrow(
      expect.objectContaining({ code: 'STORE' }),
    );
    expect(() => readIndex({ ...layer, index: join(layer.tar, 'x') })).toThrow(
      expect.objectContaining({ code: 'STORE' }),
    );
  });
});

test('a reader of indexes reads each layer once, and layers of other content for themselves', () => {
  const read = indexReader();
  const one = write();
  const other = writeLayer([], { directory: tempDirectory() });
  const view = read(one);
  rmSync(one.index);
  rmSync(one.tar);
  expect(read({ ...one })).toBe(view);
  expect(read(other)).not.toBe(view);
});
