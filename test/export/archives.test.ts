import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { dockerExporter, ociExporter } from '../../src/export/archives.ts';
import type { Exporter } from '../../src/export/exporter.ts';
import { tarExporter } from '../../src/export/tar.ts';
import { loadImages } from '../../src/image/load.ts';
import { validateImage } from '../../src/image/validate.ts';
import { layoutFetcher, parseLayoutIndex } from '../../src/store/layout.ts';
import type { Store } from '../../src/store/store.ts';
import { newStore, sampleImage } from '../helpers/images.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const NAME = 'docker.io/library/app:1';

const EXPORTERS: readonly [string, (store: Store) => Exporter][] = [
  ['oci', ociExporter],
  ['docker', dockerExporter],
  ['tar', tarExporter],
];

describe.each(EXPORTERS)('type=%s', (type, create) => {
  test('writes the same bytes to a file, a stream, and again', async () => {
    const store = newStore();
    const { descriptor } = await sampleImage(store);
    const images = [{ names: [NAME], descriptor }];
    const file = path.join(tempDirectory(), 'image.tar');
    const exporter = create(store);
    expect(exporter.type).toBe(type);
    const seen: number[] = [];
    await exporter.export({
      images,
      destination: { file },
      onProgress: (current) => seen.push(current),
    });
    const bytes = fs.readFileSync(file);
    expect(seen.at(-1)).toBe(bytes.length);
    const stream = new PassThrough();
    const reading = buffer(stream);
    await exporter.export({ images, destination: { stream } });
    stream.end();
    expect((await reading).equals(bytes)).toBe(true);
    const again = newStore();
    await sampleImage(again);
    await create(again).export({ images, destination: { file } });
    expect(fs.readFileSync(file).equals(bytes)).toBe(true);
    expect(fs.readdirSync(path.dirname(file))).toEqual(['image.tar']);
  });

  test('leaves the old file, and nothing else, when it fails or is aborted', async () => {
    const store = newStore();
    const { descriptor, layers } = await sampleImage(store, {
      layers: [{ big: 'x'.repeat(100_000) }],
    });
    const images = [{ names: [NAME], descriptor }];
    const file = path.join(tempDirectory(), 'image.tar');
    fs.writeFileSync(file, 'old');
    const aborted = AbortSignal.abort(new Error('enough'));
    const exporting = create(store).export({ images, destination: { file }, signal: aborted });
    await expect(exporting).rejects.toThrow('enough');
    fs.rmSync(layers[0]!.tar);
    await expect(create(store).export({ images, destination: { file } })).rejects.toMatchObject({
      code: 'IMAGE_NOT_FOUND',
    });
    expect(fs.readdirSync(path.dirname(file))).toEqual(['image.tar']);
    expect(fs.readFileSync(file, 'utf8')).toBe('old');
  });

  test('stops when the reader of the stream goes away', async () => {
    const store = newStore();
    const { descriptor } = await sampleImage(store, { layers: [{ big: 'x'.repeat(1_000_000) }] });
    const stream = new PassThrough({ highWaterMark: 16 });
    const exporting = create(store).export({
      images: [{ names: [NAME], descriptor }],
      destination: { stream },
    });
    stream.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    await expect(exporting).rejects.toMatchObject({
      code: 'OUTPUT',
    });
  });

  test('keeps a symlink and writes to its target, and writes to a device without replacing it', async () => {
    const store = newStore();
    const { descriptor } = await sampleImage(store);
    const images = [{ names: [NAME], descriptor }];
    const directory = tempDirectory();
    fs.writeFileSync(path.join(directory, 'target'), 'old');
    fs.symlinkSync('target', path.join(directory, 'link'));
    await create(store).export({ images, destination: { file: path.join(directory, 'link') } });
    expect(fs.lstatSync(path.join(directory, 'link')).isSymbolicLink()).toBe(true);
    expect(fs.statSync(path.join(directory, 'target')).size).toBeGreaterThan(512);
    await create(store).export({ images, destination: { file: '/dev/null' } });
    expect(fs.statSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  test.each([
    ['a directory', () => tempDirectory()],
    ['a file in a directory that is not there', () => path.join(tempDirectory(), 'none/image.tar')],
  ])('says OUTPUT when the file is %s', async (_case, file) => {
    const store = newStore();
    const { descriptor } = await sampleImage(store);
    const exporting = create(store).export({
      images: [{ names: [], descriptor }],
      destination: { file: file() },
    });
    await expect(exporting).rejects.toMatchObject({ code: 'OUTPUT' });
  });
});

describe('type=oci into a directory', () => {
  test('is a layout that skopeo and umoci read, and that is complete', async () => {
    const store = newStore();
    const { descriptor } = await sampleImage(store);
    const directory = path.join(tempDirectory(), 'layout');
    await ociExporter(store).export({
      images: [{ names: [NAME], descriptor }],
      destination: { directory },
    });
    const index = parseLayoutIndex(fs.readFileSync(path.join(directory, 'index.json')));
    expect(index.manifests).toHaveLength(1);
    expect(await validateImage(layoutFetcher(directory), descriptor)).toEqual([]);
    execFileSync('skopeo', ['inspect', `oci:${directory}:1`]);
    expect(execFileSync('umoci', ['ls', '--layout', directory], { encoding: 'utf8' }).trim()).toBe(
      '1',
    );
  });

  test('adds to a layout that is there, and replaces what has the same name', async () => {
    const store = newStore();
    const directory = tempDirectory();
    const write = async (name: string, text: string) => {
      const { descriptor } = await sampleImage(store, { layers: [{ file: text }] });
      await ociExporter(store).export({
        images: [{ names: [name], descriptor }],
        destination: { directory },
      });
      return descriptor.digest;
    };
    await write('localhost/a:1', 'one');
    const b = await write('localhost/b:2', 'two');
    const a = await write('localhost/a:1', 'three');
    const { manifests } = parseLayoutIndex(fs.readFileSync(path.join(directory, 'index.json')));
    expect(manifests.map(({ digest }) => digest)).toEqual([b, a]);
    fs.writeFileSync(path.join(directory, 'index.json'), 'damaged');
    await expect(write('localhost/c:3', 'four')).rejects.toMatchObject({ code: 'MANIFEST' });
  });
});

test('what type=docker writes is loaded with its name', async () => {
  const store = newStore();
  const { descriptor, imageID } = await sampleImage(store);
  const file = path.join(tempDirectory(), 'image.tar');
  await dockerExporter(store).export({
    images: [{ names: [NAME], descriptor }],
    destination: { file },
  });
  expect(await loadImages(newStore(), file)).toEqual([{ names: [NAME], descriptor, imageID }]);
});

test('type=tar has the files of the stack with all that layers keep, and no whiteouts', async () => {
  const store = newStore();
  const binary = Buffer.from([0, 1, 0xff, 0xfe]);
  const { descriptor } = await sampleImage(store, {
    layers: [
      {
        'a/': { mode: 0o1777 },
        'a/gone': 'x',
        'a/kept': { text: 'kept', uid: 1000, gid: 50, mode: 0o4755 },
      },
      {
        'a/': { mode: 0o1777 },
        'a/gone': null,
        'a/link': { type: 'symlink', linkTarget: 'kept' },
        'a/one': { text: 'linked', inode: 'i' },
        'a/two': { text: 'linked', inode: 'i' },
        'a/null': { type: 'char', device: { major: 1, minor: 3 }, mode: 0o666 },
        'a/caps': { text: '', xattrs: { 'user.binary': binary } },
      },
    ],
  });
  const directory = tempDirectory();
  const file = path.join(directory, 'files.tar');
  await tarExporter(store).export({ images: [{ names: [], descriptor }], destination: { file } });
  const listed = execFileSync('tar', ['--numeric-owner', '--full-time', '-tvf', file], {
    encoding: 'utf8',
  });
  expect(
    listed
      .trim()
      .split('\n')
      .map((line) => line.replace(/ +/g, ' ')),
  ).toEqual([
    'drwxrwxrwt 0/0 0 2001-09-09 01:46:40 a/',
    '-rw-r--r-- 0/0 0 2001-09-09 01:46:40 a/caps',
    '-rwsr-xr-x 1000/50 4 2001-09-09 01:46:40 a/kept',
    'lrw-r--r-- 0/0 0 2001-09-09 01:46:40 a/link -> kept',
    'crw-rw-rw- 0/0 1,3 2001-09-09 01:46:40 a/null',
    '-rw-r--r-- 0/0 6 2001-09-09 01:46:40 a/one',
    'hrw-r--r-- 0/0 0 2001-09-09 01:46:40 a/two link to a/one',
  ]);
  execFileSync('tar', ['--xattrs', '--xattrs-include=*', '-xf', file, '-C', directory]);
  const value = execFileSync('getfattr', [
    '--absolute-names',
    '--only-values',
    '-n',
    'user.binary',
    path.join(directory, 'a/caps'),
  ]);
  expect(value.equals(binary)).toBe(true);
});
