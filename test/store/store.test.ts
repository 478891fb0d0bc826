import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { openStore } from '../../src/store/store.ts';
import { contentStoreContract, descriptorOf } from '../contract/content-store.ts';
import { compileScript } from '../helpers/script.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const newHome = () => path.join(tempDirectory(), 'home');
const newStore = () => openStore(newHome());
const BLOB = Buffer.from('{"some":"json"}');

contentStoreContract('the local store', newStore);

describe('opening a store', () => {
  test('touches nothing before the first write', () => {
    const home = newHome();
    const store = openStore(home);
    expect(store.tags()).toEqual([]);
    expect(store.blobSize(digestOf(BLOB))).toBeUndefined();
    expect(fs.existsSync(home)).toBe(false);
  });

  test('makes a home that only its owner can enter', () => {
    const store = newStore();
    store.writeBlob(BLOB);
    expect(fs.statSync(store.home).mode & 0o777).toBe(0o700);
    expect(fs.readdirSync(store.home).sort()).toEqual([
      'content',
      'layers',
      'locks',
      'tmp',
      'version',
    ]);
    expect(fs.readdirSync(store.path('tmp'))).toEqual([]);
  });

  test('refuses the version of a newer tsbuild', () => {
    const home = tempDirectory();
    fs.writeFileSync(path.join(home, 'version'), '2\n');
    expect(() => openStore(home)).toThrow(
      expect.objectContaining({ code: 'STORE', hint: expect.stringContaining('newer tsbuild') }),
    );
  });

  test('says what to do when the home cannot be used', () => {
    const home = path.join(tempDirectory(), 'file');
    fs.writeFileSync(home, '');
    expect(() => openStore(home)).toThrow(expect.objectContaining({ code: 'STORE' }));
    expect(() => openStore('/sys/kernel/no-such-place').writeBlob(BLOB)).toThrow(
      expect.objectContaining({ code: 'STORE' }),
    );
  });

  test.each([
    ['where nothing can be made', () => '/proc/no/home'],
    [
      'of a link that leads nowhere',
      () => {
        const link = newHome();
        fs.symlinkSync('/proc/no', link);
        return link;
      },
    ],
  ])('tells of a home %s', (_what, home) => {
    expect(() => openStore(home()).writeBlob(BLOB)).toThrow(
      expect.objectContaining({
        code: 'STORE',
        message: expect.stringContaining('create the store'),
      }),
    );
  });

  test('finishes a home that was left half made, and keeps the tags in it', async () => {
    const home = newHome();
    const name = 'docker.io/library/kept:latest';
    await openStore(home).tag(name, descriptorOf(BLOB, OCI_MANIFEST));
    fs.rmSync(path.join(home, 'version'));
    fs.rmSync(path.join(home, 'layers'), { recursive: true });
    const store = openStore(home);
    store.writeBlob(BLOB);
    expect(store.tags().map((tag) => tag.name)).toEqual([name]);
    expect(fs.existsSync(path.join(home, 'layers'))).toBe(true);
    expect(fs.existsSync(path.join(home, 'version'))).toBe(true);
  });
});

describe('blobs', () => {
  test('are read back verified', () => {
    const store = newStore();
    const { digest, size } = store.writeBlob(BLOB);
    expect([digest, size]).toEqual([digestOf(BLOB), BLOB.length]);
    expect(store.readBlob(digest)).toEqual(BLOB);
    expect(store.blobSize(digest)).toBe(BLOB.length);
    expect(() => store.readBlob(digest, 3)).toThrow(expect.objectContaining({ code: 'MANIFEST' }));
    expect(() => store.readBlob(digestOf('none'))).toThrow(
      expect.objectContaining({ code: 'NOT_FOUND' }),
    );
  });

  test('are adopted from a finished file, again and again', () => {
    const store = newStore();
    for (let round = 0; round < 2; round++) {
      const directory = store.tempDir();
      fs.writeFileSync(path.join(directory, 'layer.tar'), BLOB);
      store.adoptBlob(path.join(directory, 'layer.tar'), digestOf(BLOB));
      expect(fs.readdirSync(directory)).toEqual([]);
      fs.rmdirSync(directory);
    }
    expect(store.readBlob(digestOf(BLOB))).toEqual(BLOB);
  });

  test('of unknown digest are hashed as they come', async () => {
    const store = newStore();
    const seen: number[] = [];
    const info = await store.ingest(Readable.from([BLOB, BLOB]), undefined, {
      onProgress: (n) => seen.push(n),
    });
    expect(info).toEqual({ digest: digestOf(Buffer.concat([BLOB, BLOB])), size: 2 * BLOB.length });
    expect(seen).toEqual([BLOB.length, 2 * BLOB.length]);
    expect(fs.readdirSync(store.path('tmp'))).toEqual([]);
  });

  test('that a crash left short are not there, and are written again', async () => {
    const store = newStore();
    const blob = descriptorOf(BLOB);
    store.writeBlob(BLOB);
    const shorten = () => fs.truncateSync(store.blobPath(blob.digest), 5);
    shorten();
    expect(await store.exists(blob)).toBe(false);
    await expect(store.fetch(blob)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await store.push(blob, async () => Readable.from([BLOB]))).toBe('pushed');
    expect(store.readBlob(blob.digest)).toEqual(BLOB);
    shorten();
    store.writeBlob(BLOB);
    expect(store.readBlob(blob.digest)).toEqual(BLOB);
  });

  test('that are damaged are told of once, and dropped so that they can be had again', async () => {
    const store = newStore();
    const blob = descriptorOf(BLOB);
    const damage = () => fs.writeFileSync(store.blobPath(blob.digest), 'X'.repeat(BLOB.length));
    store.writeBlob(BLOB);
    damage();
    await expect(store.fetch(blob).then(buffer)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(await store.exists(blob)).toBe(false);
    store.writeBlob(BLOB);
    damage();
    expect(() => store.readBlob(blob.digest)).toThrow(
      expect.objectContaining({ code: 'DIGEST_MISMATCH' }),
    );
    expect(await store.exists(blob)).toBe(false);
    damage();
    store.writeBlob(BLOB);
    expect(store.readBlob(blob.digest)).toEqual(BLOB);
  });

  test('are whole whatever dies while they are written', async () => {
    const directory = tempDirectory();
    const home = path.join(directory, 'home');
    const script = compileScript(
      directory,
      `import { openStore } from '#src/store/store.ts';
       import { Readable } from 'node:stream';
       const store = openStore(process.argv[2]);
       const chunk = Buffer.alloc(1 << 20, process.argv[3]);
       for (let size = 1; ; size = (size % 8) + 1) {
         await store.ingest(Readable.from(Array(size).fill(chunk)));
         console.log('stored');
       }`,
    );
    for (let round = 0; round < 3; round++) {
      const writers = ['a', 'b', 'a'].map((letter) => script.start(home, letter));
      await Promise.all(writers.map((writer) => writer.line()));
      await Promise.all(writers.map((writer) => writer.kill()));
    }
    const store = openStore(home);
    const names = fs.readdirSync(path.join(home, 'content/blobs/sha256'));
    expect(names.length).toBeGreaterThan(1);
    for (const name of names) {
      expect(digestOf(fs.readFileSync(path.join(home, 'content/blobs/sha256', name)))).toBe(
        `sha256:${name}`,
      );
    }
    const mine = store.tempDir();
    expect(fs.readdirSync(path.join(home, 'tmp'))).toEqual([path.basename(mine)]);
  });
});
