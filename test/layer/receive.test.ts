import { execFileSync } from 'node:child_process';
import { createReadStream, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readIndex } from '../../src/layer/index-file.ts';
import { type ReceiveRequest, receiveLayer } from '../../src/layer/receive.ts';
import { receiveFile } from '../../src/layer/receive-file.ts';
import { type DiffID, digestOf } from '../../src/oci/digest.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { END, file, header } from '../tar/raw-tar.ts';

const tar = Buffer.concat([
  header({ name: 'dir/', type: '5' }),
  file('dir/a', 'hello'),
  file('dir/big', 'some text, again and again '.repeat(50_000)),
  END,
]);
const blob = gzipSync(tar);
/** With the optional fields, as gzip writes them: https://www.rfc-editor.org/rfc/rfc1952#section-2.3 */
function namedGzip(): Buffer {
  const header = Buffer.from(blob.subarray(0, 10));
  header[3] = 0x04 | 0x08 | 0x10;
  const fields = Buffer.from('\x04\0AB\0\0layer.tar\0a comment\0', 'latin1');
  return Buffer.concat([header, fields, blob.subarray(10)]);
}

const zstd = execFileSync('zstd', ['-qc'], { input: tar });

function requestOf(bytes: Buffer, more: Partial<ReceiveRequest>) {
  return {
    compression: 'gzip' as const,
    expected: { digest: digestOf(bytes), size: bytes.length },
    diffID: digestOf<DiffID>(tar),
    directory: tempDirectory(),
    ...more,
  };
}

function receive(bytes: Buffer, more: Partial<ReceiveRequest> = {}, signal?: AbortSignal) {
  const source = Readable.from([bytes.subarray(0, 11), bytes.subarray(11)]);
  return receiveLayer({ source, ...requestOf(bytes, more) }, signal && { signal });
}

/** As a member of an archive: there is something before it and after it. */
function receiveMember(bytes: Buffer, more: Partial<ReceiveRequest> = {}) {
  const file = join(tempDirectory(), 'archive');
  writeFileSync(file, Buffer.concat([Buffer.alloc(700, 1), bytes, blob]));
  return receiveFile({
    ...requestOf(bytes, more),
    source: { file, offset: 700, size: bytes.length },
  });
}

const WAYS = [
  ['by streams', receive],
  ['at once from a file', receiveMember],
] as const;

describe.each(WAYS)('a layer that is received %s', (_way, receive) => {
  const members = [tar.subarray(0, 700), tar.subarray(700, 5000), tar.subarray(5000)].map((part) =>
    gzipSync(part),
  );
  test.each<[string, Buffer, Partial<ReceiveRequest>]>([
    ['gzip', blob, {}],
    ['gzip of several members, as parallel compressors write it', Buffer.concat(members), {}],
    [
      'gzip with an empty member at the end, as bgzip writes it',
      Buffer.concat([blob, gzipSync('')]),
      {},
    ],
    [
      'gzip of members of equal size',
      Buffer.concat([
        gzipSync(tar.subarray(0, tar.length / 2)),
        gzipSync(tar.subarray(tar.length / 2)),
      ]),
      {},
    ],
    ['gzip with zeros behind it', Buffer.concat([blob, Buffer.alloc(600)]), {}],
    ['gzip with one byte behind it', Buffer.concat([blob, Buffer.alloc(1)]), {}],
    ['gzip with a name and a comment in its header', namedGzip(), {}],
    ['gzip of stored blocks', gzipSync(tar, { level: 0 }), {}],
    ['plain', tar, { compression: 'none' }],
    ['zstd', zstd, { compression: 'zstd' }],
  ])('may be %s', async (_, bytes, more) => {
    const layer = await receive(bytes, more);
    expect(readFileSync(layer.tar).equals(tar)).toBe(true);
    expect(layer).toMatchObject({ diffID: digestOf(tar), size: tar.length });
    expect(readIndex(layer).entries.get('dir/a')).toMatchObject({
      node: { size: 5, content: { file: layer.tar, offset: 1024 } },
    });
  });

  test.each([
    ['by streams', receiveLayer],
    ['at once', receiveFile],
  ] as const)('may come from a file, and reports what is done: %s', async (_how, receiveIt) => {
    const source = join(tempDirectory(), 'blob');
    writeFileSync(source, blob);
    const seen: number[] = [];
    const request = {
      source,
      compression: 'gzip',
      diffID: digestOf<DiffID>(tar),
      directory: tempDirectory(),
    } as const;
    await receiveIt(request, { onProgress: (current) => seen.push(current) });
    expect(seen.at(-1)).toBe(tar.length);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });
});

describe.each(WAYS)('a layer is refused %s', (_way, receive) => {
  const flipped = Buffer.from(blob);
  flipped[flipped.length - 100]! ^= 0xff;
  test.each<[string, Buffer, Partial<ReceiveRequest>, code: string]>([
    [
      'with another digest',
      gzipSync(tar, { level: 1 }),
      { expected: { digest: digestOf(blob), size: gzipSync(tar, { level: 1 }).length } },
      'DIGEST_MISMATCH',
    ],
    [
      'that is longer than promised',
      blob,
      { expected: { digest: digestOf(blob), size: blob.length - 1 } },
      'DIGEST_MISMATCH',
    ],
    [
      'that is shorter than promised',
      blob,
      { expected: { digest: digestOf(blob), size: blob.length + 1 } },
      'DIGEST_MISMATCH',
    ],
    ['with another tar in it', blob, { diffID: digestOf('other') }, 'DIGEST_MISMATCH'],
    ['when the compressed data is damaged', flipped, {}, 'ARCHIVE'],
    [
      'when text follows the compressed data',
      Buffer.concat([blob, Buffer.from('text')]),
      {},
      'ARCHIVE',
    ],
    ['when the compressed data is cut', blob.subarray(0, 500), {}, 'ARCHIVE'],
    ['that is not compressed as it says', tar, {}, 'ARCHIVE'],
    [
      'when zstd finds it damaged',
      Buffer.concat([zstd.subarray(0, 50), flipped]),
      { compression: 'zstd' },
      'ARCHIVE',
    ],
    ['when its tar is cut', gzipSync(tar.subarray(0, 3000)), { diffID: undefined }, 'ARCHIVE'],
    ['when its tar is hostile', gzipSync(file('../x', 'x')), { diffID: undefined }, 'ARCHIVE'],
    [
      'when it is a bomb',
      gzipSync(Buffer.alloc(5_000_000)),
      { maxBytes: 1_000_000, diffID: undefined },
      'ARCHIVE',
    ],
  ])('%s', async (_, bytes, more, code) => {
    const directory = tempDirectory();
    await expect(receive(bytes, { directory, ...more })).rejects.toMatchObject({ code });
    expect(existsSync(join(directory, 'layer.index'))).toBe(false);
  });
});

describe('receiving ends', () => {
  test('when its source fails', async () => {
    const source = createReadStream('/nowhere');
    await expect(receive(blob, { source })).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('when it is aborted, with the reason of that', async () => {
    const controller = new AbortController();
    const source = new Readable({ read() {} });
    source.push(blob.subarray(0, 100));
    const receiving = receive(blob, { source }, controller.signal);
    controller.abort(new Error('enough'));
    await expect(receiving).rejects.toThrow('enough');
    expect(source.destroyed).toBe(true);
  });
});
