import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { createWorkers, inlineWorkers, type Workers } from '../../src/host/workers.ts';
import { receiveDownload } from '../../src/image/receive-download.ts';
import {
  type FileRequest,
  RECEIVE_TASK,
  RECEIVE_UNHASHED_TASK,
  receiveFile,
} from '../../src/layer/receive-file.ts';
import { type DiffID, digestOf } from '../../src/oci/digest.ts';
import type { Compression } from '../../src/oci/media-types.ts';
import type { FileRange } from '../../src/tree/file-tree.ts';
import { tarOf } from '../helpers/archives.ts';
import { bundleEntries, type Entries } from '../helpers/entries.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const tar = tarOf([
  { name: 'noise', content: randomBytes(2_000_000) },
  { name: 'text', content: Buffer.from('what repeats '.repeat(100_000)) },
]);
const gzip = gzipSync(tar);

let entries: Entries;
beforeAll(async () => {
  entries = await bundleEntries({ worker: 'src/worker.ts' });
});
afterAll(() => entries[Symbol.asyncDispose]());

function threads(): Promise<Workers> {
  const workers = createWorkers({ entry: entries.file('worker'), size: 2 });
  onTestFinished(() => workers[Symbol.asyncDispose]());
  return Promise.resolve(workers);
}

function start(
  open: (signal: AbortSignal) => Promise<Readable>,
  more: {
    workers?: (() => Promise<Workers>) | undefined;
    hashHere?: boolean;
    size?: number;
    compression?: Compression;
    diffID?: DiffID;
    signal?: AbortSignal;
  } = {},
) {
  const directory = tempDirectory();
  const {
    size = gzip.length,
    compression = 'gzip',
    diffID = digestOf<DiffID>(tar),
    signal = new AbortController().signal,
    workers = threads,
    hashHere = false,
  } = more;
  const file = join(directory, 'blob');
  const request = { compression, diffID, directory };
  const receiving = receiveDownload({ open, size, file, request, hashHere, workers, signal });
  return { file, directory, receiving };
}

const pieces = (bytes: Buffer, step = 100_000) =>
  Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
    })(),
    { objectMode: false },
  );

describe.each([
  ['in a worker thread', threads, false],
  ['in a worker thread, and hashed in this one', threads, true],
  ['in this thread', undefined, false],
])('a blob is received %s', (_, workers, hashHere) => {
  const half = tar.length / 2;
  const members = [tar.subarray(0, half), Buffer.alloc(0), tar.subarray(half)];
  test.each<[string, Buffer, Compression]>([
    ['one gzip member', gzip, 'gzip'],
    ['several members', Buffer.concat(members.map((part) => gzipSync(part))), 'gzip'],
    ['zstd', execFileSync('zstd', ['-qc'], { input: tar, maxBuffer: 2 ** 24 }), 'zstd'],
  ])('and kept as it came: %s', async (_, bytes, compression) => {
    const more = { workers, hashHere, compression, size: bytes.length };
    const { file, receiving } = start(async () => pieces(bytes), more);
    const written = await receiving;
    expect(readFileSync(file).equals(bytes)).toBe(true);
    expect(readFileSync(written.tar).equals(tar)).toBe(true);
    expect(written).toMatchObject({ diffID: digestOf(tar), size: tar.length });
  });

  test('and refused when it holds another tar', async () => {
    const more = { workers, hashHere, diffID: digestOf<DiffID>('other') };
    await expect(start(async () => pieces(gzip), more).receiving).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    });
  });

  test('and refused when it is damaged', async () => {
    const bytes = Buffer.from(gzip);
    bytes[bytes.length - 5]! ^= 1;
    const { receiving, directory } = start(async () => pieces(bytes), { workers, hashHere });
    await expect(receiving).rejects.toMatchObject({ code: 'ARCHIVE' });
    expect(existsSync(join(directory, 'layer.index'))).toBe(false);
  });

  test('until its source fails, with the error of that', async () => {
    const failing = async () => {
      const source = new PassThrough();
      source.write(gzip.subarray(0, 300_000));
      setTimeout(() => source.destroy(new Error('the line is dead')), 50);
      return source;
    };
    await expect(start(failing, { workers }).receiving).rejects.toThrow('the line is dead');
  });

  test('unless its source does not open', async () => {
    const none = start(() => Promise.reject(new Error('no such blob')), { workers, hashHere });
    await expect(none.receiving).rejects.toThrow('no such blob');
    expect(readdirSync(none.directory)).toEqual([]);
  });

  test('until it is aborted, with the reason of that', async () => {
    const controller = new AbortController();
    const source = new PassThrough();
    source.write(gzip.subarray(0, 300_000));
    const more = { workers, hashHere, signal: controller.signal };
    const { receiving } = start(async () => source, more);
    setTimeout(() => controller.abort(new Error('enough')), 50);
    await expect(receiving).rejects.toThrow('enough');
    expect(source.destroyed).toBe(true);
  });
});

test('what has to be begun anew is hashed by the thread that does', async () => {
  const workers = inlineWorkers({
    [RECEIVE_UNHASHED_TASK]: ({ directory }: FileRequest, { report }) => {
      writeFileSync(join(directory, 'layer.tar'), 'a part');
      report(6);
    },
    [RECEIVE_TASK]: async (request: FileRequest) => {
      const { file, size } = request.source as FileRange;
      await expect.poll(() => statSync(file).size).toBe(size);
      const { growth, ...whole } = request;
      return receiveFile(whole);
    },
  });
  const { receiving } = start(async () => pieces(gzip), {
    workers: async () => workers,
    hashHere: true,
  });
  const written = await receiving;
  expect(written.diffID).toBe(digestOf(tar));
  expect(readFileSync(written.tar).equals(tar)).toBe(true);
});

test('a tar with a hole at its end is hashed with it, also from another thread', async () => {
  const sparse = tarOf([
    { name: 'noise', content: randomBytes(1_500_000) },
    { name: 'zeros', content: Buffer.alloc(5_000_000) },
  ]);
  const bytes = gzipSync(sparse);
  const more = { size: bytes.length, diffID: digestOf<DiffID>(sparse), hashHere: true };
  const written = await start(async () => pieces(bytes), more).receiving;
  expect(readFileSync(written.tar).equals(sparse)).toBe(true);
});

test('others have their turns while much is hashed that came at once', async () => {
  const mebibytes = 32;
  const size = mebibytes << 20;
  const diffID = digestOf<DiffID>(Buffer.alloc(size));
  let turns = 0;
  const count = (): void => {
    turns += 1;
    counting = setImmediate(count);
  };
  let counting: NodeJS.Immediate | undefined;
  onTestFinished(() => clearImmediate(counting));
  const workers = inlineWorkers({
    [RECEIVE_UNHASHED_TASK]: ({ directory }: FileRequest, { report }) => {
      const file = join(directory, 'layer.tar');
      writeFileSync(file, '');
      truncateSync(file, size);
      count();
      report(size);
      return { diffID, size, tar: file, index: '' };
    },
  });
  const more = { workers: async () => workers, hashHere: true, diffID };
  const written = await start(async () => pieces(gzip), more).receiving;
  expect(written).toMatchObject({ diffID, size });
  expect(turns).toBeGreaterThanOrEqual(mebibytes);
});

test('what came so far is in the tar while the rest is still to come', async () => {
  const source = new PassThrough();
  const { directory, receiving } = start(async () => source);
  source.write(gzip.subarray(0, 1_500_000));
  const tarSize = () => statSync(join(directory, 'layer.tar'), { throwIfNoEntry: false })?.size;
  await expect.poll(tarSize).toBeGreaterThanOrEqual(1024 * 1024);
  source.end(gzip.subarray(1_500_000));
  expect((await receiving).size).toBe(tar.length);
});

test('damaged data ends a download that goes on', async () => {
  const source = new PassThrough();
  const { receiving } = start(async () => source);
  source.write(Buffer.alloc(300_000, 'no gzip'));
  await expect(receiving).rejects.toMatchObject({ code: 'ARCHIVE' });
  expect(source.destroyed).toBe(true);
});
