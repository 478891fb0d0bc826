import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { localExporter } from '../../src/export/local.ts';
import { fsPath } from '../../src/host/path-bytes.ts';
import { OCI_INDEX } from '../../src/oci/media-types.ts';
import { newStore, type SampleFiles, sampleImage } from '../helpers/images.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

async function exportFiles(
  layers: readonly SampleFiles[],
  directory: string,
  signal?: AbortSignal,
): Promise<void> {
  const store = newStore();
  const { descriptor } = await sampleImage(store, { layers });
  const images = [{ names: [], descriptor }];
  await localExporter(store).export({
    images,
    destination: { directory },
    ...(signal ? { signal } : {}),
  });
}

describe('type=local', () => {
  test('writes the files of the stack, with their modes and times, owned by the caller', async () => {
    const directory = path.join(tempDirectory(), 'new/directory');
    await exportFiles(
      [
        { 'etc/': { mode: 0o1777 }, 'etc/gone': '', 'etc/file': { text: 'first' } },
        {
          'etc/': { mode: 0o1777 },
          'etc/gone': null,
          'etc/file': { text: 'second', uid: 1000, gid: 1000, mode: 0o4711 },
          'etc/empty/': { mode: 0o555, uid: 5 },
          'etc/empty/inside': '',
          'etc/link': { type: 'symlink', linkTarget: '/etc/passwd' },
          'etc/fifo': { type: 'fifo', mode: 0o600 },
          'etc/null': { type: 'char', device: { major: 1, minor: 3 }, mode: 0o622 },
        },
      ],
      directory,
    );
    const inside = (name: string) => path.join(directory, 'etc', name);
    expect(fs.readdirSync(inside('')).sort()).toEqual(['empty', 'fifo', 'file', 'link', 'null']);
    expect(fs.readFileSync(inside('file'), 'utf8')).toBe('second');
    const seen = (name: string) => {
      const { mode, uid, gid, mtimeMs } = fs.lstatSync(inside(name));
      return [mode & 0o7777, uid, gid, mtimeMs];
    };
    const [uid, gid] = [process.getuid!(), process.getgid!()];
    expect(seen('')).toEqual([0o1777, uid, gid, 1e12]);
    expect(seen('file')).toEqual([0o4711, uid, gid, 1e12]);
    expect(seen('empty')).toEqual([0o555, uid, gid, 1e12]);
    expect(fs.readlinkSync(inside('link'))).toBe('/etc/passwd');
    expect(fs.lstatSync(inside('link')).mtimeMs).toBe(1e12);
    expect(fs.lstatSync(inside('fifo')).isFIFO()).toBe(true);
    expect(fs.lstatSync(inside('null')).isCharacterDevice()).toBe(true);
  });

  test('keeps hard links and names that are not text', async () => {
    const directory = tempDirectory();
    const name = 'caf\udce9';
    await exportFiles(
      [
        {
          'a/': {},
          'a/one': { text: 'linked', inode: 'x' },
          two: { text: 'linked', inode: 'x' },
          [name]: 'latin1',
          [`${name}d/`]: {},
          [`${name}d/${name}`]: 'x',
        },
      ],
      directory,
    );
    expect(fs.statSync(path.join(directory, 'a/one')).ino).toBe(
      fs.statSync(path.join(directory, 'two')).ino,
    );
    expect(fs.readFileSync(fsPath(`${directory}/${name}`), 'utf8')).toBe('latin1');
    expect(fs.readFileSync(fsPath(`${directory}/${name}d/${name}`), 'utf8')).toBe('x');
  });

  test('replaces what is in the way, whatever it is, and keeps the rest', async () => {
    const directory = tempDirectory();
    const at = (name: string) => path.join(directory, name);
    fs.mkdirSync(at('file/with/things'), { recursive: true });
    fs.writeFileSync(at('directory'), 'a file');
    fs.mkdirSync(at('kept'));
    fs.writeFileSync(at('kept/mine'), 'mine');
    fs.writeFileSync(at('old'), 'much longer than the new text', { mode: 0o400 });
    await exportFiles(
      [
        {
          file: 'f',
          'directory/': {},
          'directory/x': 'x',
          'kept/': {},
          'kept/theirs': 't',
          old: 'new',
        },
      ],
      directory,
    );
    expect(fs.readFileSync(at('file'), 'utf8')).toBe('f');
    expect(fs.readFileSync(at('directory/x'), 'utf8')).toBe('x');
    expect(fs.readdirSync(at('kept')).sort()).toEqual(['mine', 'theirs']);
    expect(fs.readFileSync(at('old'), 'utf8')).toBe('new');
    expect(fs.statSync(at('old')).mode & 0o777).toBe(0o644);
  });

  test('can be repeated over directories that it made read-only', async () => {
    const directory = tempDirectory();
    const files = { 'locked/': { mode: 0o500 }, 'locked/file': { text: 'x', mode: 0o400 } };
    await exportFiles([files], directory);
    await exportFiles([files], directory);
    expect(fs.statSync(path.join(directory, 'locked')).mode & 0o777).toBe(0o500);
  });

  test('leaves files with other names of what it replaces alone', async () => {
    const directory = tempDirectory();
    fs.writeFileSync(path.join(directory, 'mine'), 'mine');
    fs.linkSync(path.join(directory, 'mine'), path.join(directory, 'file'));
    await exportFiles([{ file: 'theirs' }], directory);
    expect(fs.readFileSync(path.join(directory, 'mine'), 'utf8')).toBe('mine');
  });

  test.each([
    ['directory-is-a-symlink-outside', { 'link/': {}, 'link/file': 'evil' }],
    ['file-is-a-symlink-outside', { link: 'evil' }],
    ['symlink-is-a-symlink-outside', { link: { type: 'symlink', linkTarget: 'x' } as const }],
    ['whole-path-through-a-symlink', { 'link/': {}, 'link/file/': {}, 'link/file/below': 'evil' }],
  ])('writes nothing through %s', async (_hazard, files) => {
    const outside = tempDirectory();
    fs.writeFileSync(path.join(outside, 'file'), 'good');
    fs.chmodSync(outside, 0o711);
    const directory = tempDirectory();
    fs.symlinkSync(outside, path.join(directory, 'link'));
    await exportFiles([files], directory);
    expect(fs.readdirSync(outside)).toEqual(['file']);
    expect(fs.readFileSync(path.join(outside, 'file'), 'utf8')).toBe('good');
    expect(fs.statSync(outside).mode & 0o777).toBe(0o711);
    expect(
      fs.existsSync(path.join(directory, 'link')) ||
        fs.lstatSync(path.join(directory, 'link')).isSymbolicLink(),
    ).toBe(true);
  });

  test('may be sent through a symlink by the caller', async () => {
    const directory = tempDirectory();
    fs.mkdirSync(path.join(directory, 'real'));
    fs.symlinkSync('real', path.join(directory, 'link'));
    await exportFiles([{ file: 'x' }], path.join(directory, 'link'));
    expect(fs.readdirSync(path.join(directory, 'real'))).toEqual(['file']);
  });

  test('gives each of several platforms its directory', async () => {
    const store = newStore();
    const manifests = [];
    for (const [architecture, variant] of [
      ['amd64', undefined],
      ['arm', 'v7'],
    ] as const) {
      const image = await sampleImage(store, { architecture, layers: [{ file: architecture }] });
      manifests.push({
        ...image.descriptor,
        platform: { os: 'linux', architecture, ...(variant ? { variant } : {}) },
      });
    }
    const index = store.writeBlob(
      Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests })),
    );
    const directory = tempDirectory();
    const images = [{ names: [], descriptor: { mediaType: OCI_INDEX, ...index } }];
    await localExporter(store).export({ images, destination: { directory } });
    expect(fs.readdirSync(directory).sort()).toEqual(['linux_amd64', 'linux_arm']);
    expect(fs.readFileSync(path.join(directory, 'linux_arm/file'), 'utf8')).toBe('arm');
  });

  test('stops when it is aborted', async () => {
    const files = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`file${at}`, 'x']));
    const directory = tempDirectory();
    await expect(
      exportFiles([files], directory, AbortSignal.abort(new Error('enough'))),
    ).rejects.toThrow('enough');
    expect(fs.readdirSync(directory).length).toBeLessThan(1000);
  });

  test('says which file it could not write', async () => {
    const file = path.join(tempDirectory(), 'file');
    fs.writeFileSync(file, '');
    await expect(exportFiles([{ x: '' }], file)).rejects.toMatchObject({
      code: 'OUTPUT',
      message: expect.stringContaining(file),
    });
  });
});
