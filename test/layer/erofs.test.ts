import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MNT_DETACH, MS_RDONLY, mount, umount } from '../../src/host/syscalls.ts';
import { erofsImage } from '../../src/layer/erofs.ts';
import type { Layer, LayerIndex } from '../../src/layer/layer.ts';
import { lowerEntries } from '../../src/layer/lower.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { make, packLayer, type Packed } from './pack.ts';
import { enterPrivateMounts } from './private-mounts.ts';
import { expected, readBack } from './read-back.ts';

enterPrivateMounts();

describe('a layer as EROFS', () => {
  it('is seen by the kernel with every type, mode, owner, time, attribute and byte', () => {
    const data = { 'bin/tool': 'x'.repeat(3_000_001), 'bin/alias': 'x'.repeat(3_000_001), 'implicit/file': 'hello' };
    const capability = Buffer.from('0100000200200000000000000000000000000000', 'hex');
    const tool = make.file({ mode: 0o4755, uid: 5, gid: 6, inode: '1', xattrs: { 'security.capability': capability } });
    expectSame([
      { path: '', node: make.directory({ mode: 0o1777, mtime: -5n }) },
      { path: 'bin', node: make.directory({ mode: 0o2511, uid: 1000, gid: 4_000_000_000 }) },
      { path: 'bin/tool', node: tool, data: data['bin/tool'] },
      { path: 'bin/alias', node: tool, data: data['bin/alias'] },
      { path: 'bin/empty', node: make.file({ mode: 0o000, mtime: -1n }) },
      { path: 'bin/link', node: make.symlink('/etc/passwd', { uid: 9 }) },
      { path: 'bin/\udcff\udcfe', node: make.symlink('\udc80', { xattrs: { 'trusted.x': Buffer.of(0, 1) } }) },
      { path: 'dev', node: make.directory() },
      { path: 'dev/null', node: make.device('char', 1, 3, { mode: 0o666 }) },
      { path: 'dev/disk', node: make.device('block', 259, 70_000) },
      { path: 'dev/pipe', node: make.fifo({ uid: 3 }) },
      { path: 'gone', whiteout: true },
      { path: 'fresh', node: make.directory(), opaque: true },
      { path: 'implicit/file', node: make.file(), data: data['implicit/file'] },
    ]);
  });
});

function expectSame(packed: readonly Packed[]): void {
  const directory = tempDirectory();
  const { layer, index } = packLayer(directory, packed);
  const data = new Map(packed.map((entry) => [entry.path, 'data' in entry ? entry.data : undefined]));
  const want = expected(lowerEntries(index), ({ path }) => Buffer.from((data.get(path) ?? '') as string));
  expect(readBack(mountErofs(directory, layer, index))).toEqual(want);
}

function mountErofs(directory: string, layer: Layer, index: LayerIndex): string {
  const file = join(directory, 'layer.erofs');
  writeFileSync(file, erofsImage(layer, index));
  readFileSync(file);
  const target = join(directory, 'mounted');
  mkdirSync(target);
  mount(file, target, 'erofs', MS_RDONLY, `device=${layer.tar}`);
  onTestFinished(() => umount(target, MNT_DETACH));
  return target;
}
