import { execFileSync } from 'node:child_process';
import {
  createWriteStream,
  readdirSync,
  readFileSync,
  readlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { describe, expect, test } from 'vitest';
import type { TarEntry } from '../../src/tar/entry.ts';
import { packArchive } from '../../src/tar/pack-archive.ts';
import { feedTar, scanTar } from '../../src/tar/scan.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { END, file, pax } from './raw-tar.ts';

describe('packing', () => {
  const pack = async (path: string, source: string) => {
    const members = [
      { name: 'blobs' },
      { name: 'blobs/range', content: { file: source, offset: 1_000_000, size: 1_500_001 } },
      { name: 'empty', content: { bytes: Buffer.alloc(0) } },
      { name: 'index.json', content: { bytes: Buffer.from('{}') }, mtime: 1_600_000_000 },
    ];
    await pipeline(packArchive(members), createWriteStream(path));
  };

  test('makes what tar reads, the same each time', async () => {
    const directory = tempDirectory();
    const source = join(directory, 'source');
    writeFileSync(source, Buffer.alloc(3_000_000, 'some content '));
    const [first, second] = [join(directory, '1.tar'), join(directory, '2.tar')];
    await pack(first, source);
    await pack(second, source);
    expect(readFileSync(first).equals(readFileSync(second))).toBe(true);
    expect(execFileSync('tar', ['-tf', first]).toString()).toBe(
      'blobs/\nblobs/range\nempty\nindex.json\n',
    );
    const range = execFileSync('tar', ['-xOf', first, 'blobs/range'], { maxBuffer: 2 ** 24 });
    expect(range.equals(readFileSync(source).subarray(1_000_000, 2_500_001))).toBe(true);
  });

  test('fails when a file is shorter than was said', async () => {
    const directory = tempDirectory();
    const source = join(directory, 'source');
    writeFileSync(source, 'short');
    await expect(pack(join(directory, '1.tar'), source)).rejects.toMatchObject({ code: 'STORE' });
  });

  test('says sizes that eight gigabytes do not hold, and closes the file when nobody reads on', async () => {
    const source = join(tempDirectory(), 'source');
    writeFileSync(source, '');
    truncateSync(source, 9 * 2 ** 30);
    const content = { file: source, offset: 0, size: 9 * 2 ** 30 };
    const entries: TarEntry[] = [];
    const feed = feedTar((entry) => entries.push(entry));
    for await (const bytes of packArchive([{ name: 'large', content }])) {
      feed.write(Buffer.from(bytes));
      if (bytes.length > 512) break;
    }
    expect(entries).toMatchObject([{ name: 'large', size: 9 * 2 ** 30 }]);
    await expect.poll(openFiles).not.toContain(source);
  });
});

function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // The one of the listing itself.
    }
  });
}

test('tar-stream takes headers of any size into memory, which is why archives are read by our own code', async () => {
  const records = pax([['comment', 'x'.repeat(2 * 1024 * 1024)]]);
  const archive = Buffer.concat([records, file('a', ''), END]);
  const path = join(tempDirectory(), 'a.tar');
  writeFileSync(path, archive);
  expect(() => [...scanTar(path)]).toThrow(/extended header/);
  const reader = extract();
  reader.end(archive);
  for await (const entry of reader) {
    expect((entry.header.pax as { comment: string }).comment).toHaveLength(2 * 1024 * 1024);
    entry.resume();
  }
});
