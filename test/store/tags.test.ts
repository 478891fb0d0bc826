import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { OCI_CONFIG, OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { openStore } from '../../src/store/store.ts';
import { descriptorOf } from '../contract/content-store.ts';
import { compileScript } from '../helpers/script.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const newStore = () => openStore(path.join(tempDirectory(), 'home'));
const image = (text: string) => descriptorOf(Buffer.from(text), OCI_MANIFEST);
const ONE = image('one');
const TWO = image('two');
const NAME = 'docker.io/library/app:latest';
const OTHER = 'localhost:5000/app:1';

describe('tags', () => {
  test('name a descriptor, with everything that it says', async () => {
    const store = newStore();
    const descriptor = {
      ...ONE,
      platform: { os: 'linux', architecture: 'arm64' },
      annotations: { 'a.b': 'c' },
    };
    await store.tag(NAME, descriptor);
    expect(store.resolveTag(NAME)).toEqual(descriptor);
    expect(store.resolveTag(OTHER)).toBeUndefined();
    expect(store.tags()).toEqual([{ name: NAME, descriptor }]);
  });

  test('that exist already cost no write', async () => {
    const store = newStore();
    await store.tag(NAME, ONE);
    const before = fs.statSync(path.join(store.content, 'index.json')).ino;
    await store.tag(NAME, ONE);
    expect(fs.statSync(path.join(store.content, 'index.json')).ino).toBe(before);
  });

  test('when moved, leave the image that had them without a name', async () => {
    const store = newStore();
    await store.tag(NAME, ONE);
    await store.tag(NAME, TWO);
    expect(store.tags()).toEqual([{ name: NAME, descriptor: TWO }]);
    expect(store.images()).toContainEqual({ descriptor: ONE });
    await store.tag(OTHER, ONE);
    expect(store.images()).toHaveLength(2);
    await store.tag(OTHER, TWO);
    await store.tag(NAME, ONE);
    expect(store.images()).toHaveLength(2);
  });

  test('can be taken away', async () => {
    const store = newStore();
    await store.tag(NAME, ONE);
    await store.tag(OTHER, ONE);
    expect(await store.untag(NAME)).toBe(true);
    expect(await store.untag(NAME)).toBe(false);
    expect(store.images()).toEqual([{ name: OTHER, descriptor: ONE }]);
  });

  test('images are kept and forgotten by digest', async () => {
    const store = newStore();
    await store.keep(ONE);
    await store.keep(ONE);
    await store.tag(NAME, TWO);
    await store.keep(TWO);
    expect(store.images()).toEqual([{ descriptor: ONE }, { name: NAME, descriptor: TWO }]);
    await store.forget(ONE.digest);
    await store.forget(TWO.digest);
    expect(store.images()).toEqual([]);
  });

  test('of 8 processes at once all survive', async () => {
    const directory = tempDirectory();
    const home = path.join(directory, 'home');
    const script = compileScript(
      directory,
      `import { openStore } from '#src/store/store.ts';
       import { digestOf } from '#src/oci/digest.ts';
       const [home, id] = process.argv.slice(2);
       const store = openStore(home);
       for (let i = 0; i < 5; i++) {
         await store.tag('localhost/image' + id + ':' + i, { mediaType: '${OCI_MANIFEST}', digest: digestOf(id), size: 1 });
         await store.tag('localhost/contended:latest', { mediaType: '${OCI_MANIFEST}', digest: digestOf(id), size: 1 });
       }`,
    );
    await Promise.all(Array.from({ length: 8 }, (_, id) => script.start(home, String(id)).done()));
    expect(openStore(home).tags()).toHaveLength(41);
  });

  test('of a process that is killed while it gives them: nothing half-written is read, or left', async () => {
    const directory = tempDirectory();
    const home = path.join(directory, 'home');
    const script = compileScript(
      directory,
      `import { openStore } from '#src/store/store.ts';
       import { digestOf } from '#src/oci/digest.ts';
       const store = openStore(process.argv[2]);
       for (let i = 0; ; i++) {
         await store.tag('localhost/image:' + i, { mediaType: '${OCI_MANIFEST}', digest: digestOf(''), size: 1 });
         if (i === 1) console.log('tagging');
       }`,
    );
    for (let round = 0; round < 3; round += 1) {
      const process = script.start(home);
      await process.line();
      await process.kill();
      const store = openStore(home);
      expect(store.tags().length).toBeGreaterThanOrEqual(2);
      fs.rmdirSync(store.tempDir());
      expect(fs.readdirSync(store.path('tmp'))).toEqual([]);
    }
  });

  test('a broken index.json is an error, not an empty store', async () => {
    const store = newStore();
    await store.tag(NAME, ONE);
    fs.writeFileSync(path.join(store.content, 'index.json'), '{"schemaVersion":2,');
    expect(() => store.tags()).toThrow(expect.objectContaining({ code: 'MANIFEST' }));
    await expect(store.tag(OTHER, ONE)).rejects.toMatchObject({ code: 'MANIFEST' });
  });

  test('are read by skopeo and umoci', async () => {
    const store = newStore();
    const config = store.writeBlob(
      Buffer.from(
        JSON.stringify({
          architecture: 'amd64',
          os: 'linux',
          rootfs: { type: 'layers', diff_ids: [] },
        }),
      ),
    );
    const manifest = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: OCI_CONFIG, ...config },
      layers: [],
    };
    await store.tag(NAME, {
      mediaType: OCI_MANIFEST,
      ...store.writeBlob(Buffer.from(JSON.stringify(manifest))),
    });
    const inspected = execFileSync('skopeo', ['inspect', `oci:${store.content}:${NAME}`], {
      encoding: 'utf8',
    });
    expect(JSON.parse(inspected)).toMatchObject({ Architecture: 'amd64', Os: 'linux' });
    const listed = execFileSync('umoci', ['ls', '--layout', store.content], { encoding: 'utf8' });
    expect(listed.trim()).toBe(NAME);
  });
});
