import { execFileSync } from 'node:child_process';
import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readArchive } from '../../src/tar/archive.ts';
import type { Content } from '../../src/tree/file-tree.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { END, file, header, pax } from './raw-tar.ts';

const archive = Buffer.concat([
  header({ name: 'blobs/', type: '5' }),
  file('./manifest.json', '[]'),
  file('blobs/a', 'A'.repeat(2000)),
  header({ name: 'old/layer.tar', type: '2', link: '../blobs/a' }),
  header({ name: 'hard', type: '1', link: 'manifest.json' }),
  header({ name: 'dangling', type: '2', link: 'nowhere' }),
  END,
]);

function write(bytes: Buffer): string {
  const path = join(tempDirectory(), 'input.tar');
  writeFileSync(path, bytes);
  return path;
}

function textOf(content: Content | undefined): string | undefined {
  if (content === undefined || !('file' in content)) return undefined;
  return readFileSync(content.file)
    .subarray(content.offset, content.offset + content.size)
    .toString();
}

describe('reading', () => {
  test.each([
    ['a file in place', archive, write],
    [
      'a stream',
      archive,
      (bytes: Buffer) => Readable.from([bytes.subarray(0, 3), bytes.subarray(3)]),
    ],
    ['a gzip file', gzipSync(archive), write],
    ['a gzip stream', gzipSync(archive), (bytes: Buffer) => createReadStream(write(bytes))],
    ['an xz file', execFileSync('xz', ['-c'], { input: archive }), write],
    ['a bzip2 file', execFileSync('bzip2', ['-c'], { input: archive }), write],
  ])('%s finds the same members', async (_, bytes, open) => {
    const members = await readArchive(open(bytes), { directory: tempDirectory() });
    expect([...members.keys()].sort()).toEqual([
      'blobs/a',
      'hard',
      'manifest.json',
      'old/layer.tar',
    ]);
    expect(textOf(members.get('old/layer.tar'))).toBe('A'.repeat(2000));
    expect(textOf(members.get('hard'))).toBe('[]');
  });

  test.each([
    ['a name that leads out', file('../../etc/passwd', 'x'), 'out of the archive'],
    [
      'a sparse member',
      Buffer.concat([
        pax([
          ['GNU.sparse.map', '0,1'],
          ['GNU.sparse.size', '9'],
        ]),
        file('s', 'x'),
      ]),
      'it is sparse',
    ],
    [
      'a damaged gzip',
      Buffer.concat([gzipSync(archive).subarray(0, 60), Buffer.alloc(100, 7)]),
      'the compressed data is damaged',
    ],
    ['a truncated gzip', gzipSync(archive).subarray(0, 60), 'the compressed data is damaged'],
    [
      'a damaged xz',
      Buffer.concat([
        execFileSync('xz', ['-c'], { input: archive }).subarray(0, 60),
        Buffer.alloc(100, 7),
      ]),
      'inflate with xz',
    ],
  ])('refuses %s', async (_, bytes, message) => {
    const reading = readArchive(write(bytes), { directory: tempDirectory() });
    await expect(reading).rejects.toMatchObject({
      code: 'ARCHIVE',
      message: expect.stringContaining(message),
    });
  });

  test('refuses to inflate beyond a limit', async () => {
    const reading = readArchive(write(gzipSync(Buffer.alloc(1_000_000))), {
      directory: tempDirectory(),
      maxBytes: 999_999,
    });
    await expect(reading).rejects.toMatchObject({
      code: 'ARCHIVE',
      message: 'read archive: it is larger than 999999 bytes',
    });
  });

  test('rejects with the signal’s reason', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    const reading = readArchive(Readable.from([archive]), { directory: tempDirectory(), signal });
    await expect(reading).rejects.toThrow('enough');
  });
});
