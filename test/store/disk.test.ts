import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { openStore } from '../../src/store/store.ts';
import { descriptorOf } from '../contract/content-store.ts';
import { compileScript } from '../helpers/script.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

/** A filesystem of one MiB, which is gone when the test is. */
function smallDisk(): string {
  const directory = fs.mkdtempSync('/tmp/tsbuild-disk-');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,nr_inodes=64', 'tsbuild-test', directory]);
  onTestFinished(() => {
    execFileSync('umount', [directory]);
    fs.rmdirSync(directory);
  });
  return directory;
}

test('a full disk is DISK_FULL, and leaves nothing half written', async () => {
  const store = openStore(path.join(smallDisk(), 'home'));
  const small = descriptorOf(Buffer.from('small'), OCI_MANIFEST);
  store.writeBlob(Buffer.from('small'));
  await store.tag('docker.io/library/a:1', small);
  const large = Buffer.alloc(2 << 20, 'large');
  const full = { code: 'DISK_FULL', hint: expect.stringContaining('prune') };
  await expect(store.ingest(Readable.from([large]))).rejects.toMatchObject(full);
  expect(() => store.writeBlob(large)).toThrow(expect.objectContaining(full));
  expect(fs.readdirSync(store.path('tmp'))).toEqual([]);
  expect(fs.readdirSync(path.join(store.content, 'blobs/sha256'))).toHaveLength(1);
  fs.writeFileSync(store.path('filler'), Buffer.alloc(1 << 20).subarray(0, free(store.home)));
  await expect(store.tag('docker.io/library/b:1', small)).rejects.toMatchObject(full);
  fs.rmSync(store.path('filler'));
  expect(store.tags().map(({ name }) => name)).toEqual(['docker.io/library/a:1']);
  await store.tag('docker.io/library/b:1', small);
  expect(store.tags()).toHaveLength(2);
});

test('so are used-up inodes', () => {
  const store = openStore(path.join(smallDisk(), 'home'));
  const write = () => {
    for (let i = 0; i < 100; i++) store.writeBlob(Buffer.from(String(i)));
  };
  expect(write).toThrow(expect.objectContaining({ code: 'DISK_FULL' }));
  expect(fs.readdirSync(store.path('tmp'))).toEqual([]);
});

test('a home that may not be read says so, with what to do', async () => {
  const directory = tempDirectory();
  const home = path.join(directory, 'home');
  openStore(home).writeBlob(Buffer.from('x'));
  fs.chmodSync(directory, 0o755);
  const stranger = compileScript(
    directory,
    `import { openStore } from '#src/store/store.ts';
     process.setgid(65534);
     process.setuid(65534);
     try {
       openStore(process.argv[2]);
     } catch (error) {
       console.log(error.code, error.hint);
     }`,
  ).start(home);
  expect(await stranger.line()).toBe('STORE check who owns the directory, or choose another one');
  await stranger.done();
});

function free(directory: string): number {
  const { bavail, bsize } = fs.statfsSync(directory);
  return bavail * bsize;
}
