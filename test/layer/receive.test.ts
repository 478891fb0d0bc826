import { execFileSync } from 'node:child_process';
import { createReadStream, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readIndex } from '../../src/layer/index-file.ts';
import { type ReceiveRequest, receiveLayer } from '../../src/layer/receive.ts';
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
const zstd = execFileSync('zstd', ['-qc'], { input: tar });

function receive(bytes: Buffer, more: Partial<ReceiveRequest> = {}, signal?: AbortSignal) {
  const request: ReceiveRequest = {
    source: Readable.from([bytes.subarray(0, 11), bytes.subarray(11)]),
    compression: 'gzip',
    expected: { digest: digestOf(bytes), size: bytes.length },
    diffID: digestOf(tar),
    directory: tempDirectory(),
    ...more,
  };
  return receiveLayer(request, signal && { signal });
}

describe('a layer that is received', () => {
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

  test('may come from a file, and reports what is done', async () => {
    const source = join(tempDirectory(), 'blob');
    writeFileSync(source, blob);
    const seen: number[] = [];
    const request = {
      source,
      compression: 'gzip',
      diffID: digestOf<DiffID>(tar),
      directory: tempDirectory(),
    } as const;
    await receiveLayer(request, { onProgress: (current) => seen.push(current) });
    expect(seen.at(-1)).toBe(tar.length);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });
});

describe('a layer is refused', () => {
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
