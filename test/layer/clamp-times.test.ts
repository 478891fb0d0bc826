import { expect, test } from 'vitest';
import { layerAt } from '../../src/layer/adopt.ts';
import { clampTimes } from '../../src/layer/clamp-times.ts';
import { scanTar } from '../../src/tar/scan.ts';
import { newStore, sampleLayer } from '../helpers/images.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const SECOND = 1_000_000_000n;

test('times after the latest become it, and nothing else changes', async () => {
  const store = newStore();
  const xattrs = { 'user.x': Buffer.of(0, 255) };
  const layer = await sampleLayer(store, {
    'd/': { mtime: 5n * SECOND },
    'd/new': { text: 'new\n', mtime: 2000n * SECOND + 7n, uid: 3, mode: 0o4711, xattrs },
    'd/old': { text: 'old\n', mtime: 999n * SECOND + 1n },
    'd/link': { type: 'symlink', linkTarget: 'new', mtime: 3000n * SECOND },
    gone: null,
  });
  const written = clampTimes({ layer, latest: 1000, directory: tempDirectory() })!;
  const strip = (tar: string) =>
    [...scanTar(tar)].map(({ offset: _, mtime, ...entry }) => ({
      ...entry,
      mtime: mtime > 1000n * SECOND ? 1000n * SECOND : mtime,
    }));
  expect(strip(written.tar)).toEqual(strip(layer.tar));
  expect([...scanTar(written.tar)].map(({ mtime }) => mtime)).toEqual(
    [5n, 1000n, 999n, 1000n, 0n].map((time, at) => time * SECOND + (at === 2 ? 1n : 0n)),
  );
});

test('a layer without later times is left alone', async () => {
  const store = newStore();
  const layer = await sampleLayer(store, { file: { text: 'x', mtime: 1000n * SECOND } });
  expect(clampTimes({ layer, latest: 1000, directory: tempDirectory() })).toBeUndefined();
  expect(layerAt(store, layer.diffID)).toBeDefined();
});
