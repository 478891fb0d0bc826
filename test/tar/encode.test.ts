import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { extract } from 'tar-stream';
import { describe, expect, test } from 'vitest';
import { lgetxattr } from '../../src/host/syscalls.ts';
import { END_OF_ARCHIVE, encodeHeader } from '../../src/tar/encode.ts';
import { padding, type TarHeader } from '../../src/tar/entry.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { anyHeader } from './arbitrary.ts';
import { readEntries } from './raw-tar.ts';

const plain: TarHeader = {
  name: 'file',
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0n,
};

function archive(headers: readonly TarHeader[]): Buffer {
  const parts = headers.map((header) => [
    encodeHeader(header),
    Buffer.alloc(header.size + padding(header.size), 'x'),
  ]);
  return Buffer.concat([...parts.flat(), END_OF_ARCHIVE]);
}

/** As the scanner gives it, with bytes that compare. */
function comparable(header: TarHeader): unknown {
  const { name, type, mode, uid, gid, size, mtime, linkName, device } = header;
  const xattrs = Object.entries(header.xattrs ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const hex = xattrs.map(([key, value]) => [key, Buffer.from(value).toString('hex')]);
  return { name, type, mode, uid, gid, size, mtime, linkName, device, xattrs: hex };
}

test('what is encoded is what a scan finds', () => {
  fc.assert(
    fc.property(fc.array(anyHeader, { maxLength: 5 }), (headers) => {
      const found = readEntries(archive(headers));
      expect(found.map(comparable)).toEqual(headers.map(comparable));
    }),
    { numRuns: 150 },
  );
});

describe('a header', () => {
  test.each<[string, Partial<TarHeader>, blocks: number]>([
    ['is one block where everything fits', {}, 1],
    ['has room for a name of 100 bytes', { name: 'n'.repeat(100) }, 1],
    ['splits a long name at a slash', { name: `${'d'.repeat(155)}/${'n'.repeat(100)}` }, 1],
    ['takes PAX for a name without a slash', { name: 'n'.repeat(101) }, 3],
    ['takes PAX for a component above 100 bytes', { name: `a/${'n'.repeat(101)}` }, 3],
    ['takes PAX for a name that is not ASCII', { name: 'größe' }, 3],
    ['takes PAX for a name that is no text', { name: '\udcff' }, 3],
    [
      'splits no directory at its last slash',
      { name: `${'d'.repeat(99)}/${'e'.repeat(99)}/`, type: 'directory' },
      1,
    ],
    ['takes PAX for a long link', { type: 'symlink', linkName: 'l'.repeat(101) }, 3],
    ['has room for 2097151', { uid: 2097151, gid: 2097151 }, 1],
    ['takes PAX above', { uid: 2097152 }, 3],
    ['has room for 8 GiB less a byte', { size: 8 * 1024 ** 3 - 1 }, 1],
    ['takes PAX for 8 GiB', { size: 8 * 1024 ** 3 }, 3],
    ['has room for whole seconds', { mtime: 1_700_000_000_000_000_000n }, 1],
    ['takes PAX for a fraction', { mtime: 1_700_000_000_000_000_001n }, 3],
    ['takes PAX for a time before 1970', { mtime: -1_000_000_000n }, 3],
    ['takes PAX for xattrs', { xattrs: { 'user.a': Buffer.of(0, 255) } }, 3],
  ])('%s', (_, fields, blocks) => {
    expect(encodeHeader({ ...plain, ...fields })).toHaveLength(blocks * 512);
  });

  test('does not depend on the order of xattrs', () => {
    const [a, b] = [Buffer.of(1), Buffer.of(2)];
    const one = encodeHeader({ ...plain, xattrs: { 'user.a': a, 'user.b': b } });
    expect(encodeHeader({ ...plain, xattrs: { 'user.b': b, 'user.a': a } })).toEqual(one);
  });

  test('refuses a device number that fits nowhere', () => {
    expect(() =>
      encodeHeader({ ...plain, type: 'char', device: { major: 2 ** 31, minor: 0 } }),
    ).toThrow(TypeError);
  });
});

describe('other readers understand what is written', () => {
  const long = `${'deep/'.repeat(60)}файл`;
  const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
  const headers: TarHeader[] = [
    { ...plain, name: 'dir/', type: 'directory', mode: 0o1777 },
    {
      ...plain,
      name: 'dir/file',
      size: 700,
      mode: 0o4755,
      uid: 1000,
      gid: 3_000_000,
      mtime: 1_600_000_000_500_000_000n,
    },
    { ...plain, name: 'dir/hard', type: 'link', linkName: 'dir/file' },
    {
      ...plain,
      name: 'dir/capable',
      size: 1,
      xattrs: { 'security.capability': capability, 'user.odd=%': Buffer.of(255, 10, 0) },
    },
    { ...plain, name: long, size: 3, mtime: -2_000_000_000n },
    { ...plain, name: 'no-text-\udcff\udcfe', size: 1 },
    { ...plain, name: 'link', type: 'symlink', linkName: 'l'.repeat(150) },
    { ...plain, name: 'null', type: 'char', device: { major: 1, minor: 3 } },
    { ...plain, name: 'pipe', type: 'fifo' },
  ];
  const write = () => {
    const path = join(tempDirectory(), 'a.tar');
    writeFileSync(path, archive(headers));
    return path;
  };

  test('GNU tar lists it', () => {
    const args = [
      '-tvf',
      write(),
      '--numeric-owner',
      '--full-time',
      '--utc',
      '--quoting-style=literal',
    ];
    const lines = execFileSync('tar', args, { env: { ...process.env, LC_ALL: 'C.UTF-8' } })
      .toString('latin1')
      .trim()
      .split('\n')
      .map((line) => line.replace(/ +/g, ' '));
    expect(lines.slice(0, 4)).toEqual([
      'drwxrwxrwt 0/0 0 1970-01-01 00:00:00 dir/',
      '-rwsr-xr-x 1000/3000000 700 2020-09-13 12:26:40.5 dir/file',
      'hrw-r--r-- 0/0 0 1970-01-01 00:00:00 dir/hard link to dir/file',
      '-rw-r--r-- 0/0 1 1970-01-01 00:00:00 dir/capable',
    ]);
    expect(Buffer.from(lines[4]!, 'latin1').toString()).toBe(
      `-rw-r--r-- 0/0 3 1969-12-31 23:59:58 ${long}`,
    );
    expect(lines.slice(5)).toEqual([
      '-rw-r--r-- 0/0 1 1970-01-01 00:00:00 no-text-\xff\xfe',
      `lrw-r--r-- 0/0 0 1970-01-01 00:00:00 link -> ${'l'.repeat(150)}`,
      'crw-r--r-- 0/0 1,3 1970-01-01 00:00:00 null',
      'prw-r--r-- 0/0 0 1970-01-01 00:00:00 pipe',
    ]);
  });

  test('GNU tar unpacks xattrs byte for byte', () => {
    const directory = tempDirectory();
    execFileSync('tar', ['--xattrs', '--xattrs-include=*', '-xf', write(), '-C', directory, 'dir']);
    expect(lgetxattr(join(directory, 'dir/capable'), 'security.capability')).toEqual(capability);
    expect(lgetxattr(join(directory, 'dir/capable'), 'user.odd=%')).toEqual(Buffer.of(255, 10, 0));
  });

  test('Python reads the same', () => {
    const script = `
import json, sys, tarfile
with tarfile.open(sys.argv[1], errors='surrogateescape') as archive:
    print(json.dumps([[m.name, m.type.decode(), m.mode, m.uid, m.gid, m.size, m.mtime, m.linkname] for m in archive]))`;
    const members = JSON.parse(execFileSync('python3', ['-c', script, write()]).toString());
    const expected = headers.map((h) => [
      h.name.replace(/\/$/, ''),
      { file: '0', link: '1', symlink: '2', char: '3', block: '4', directory: '5', fifo: '6' }[
        h.type
      ],
      h.mode,
      h.uid,
      h.gid,
      h.size,
      Number(h.mtime) / 1e9,
      h.linkName ?? '',
    ]);
    expect(members).toEqual(expected);
  });

  test('tar-stream does not: it takes binary xattrs for text, which is why the codec is our own', async () => {
    const found = new Map<string, string>();
    const reader = extract();
    reader.end(archive(headers.filter((header) => header.name === 'dir/capable')));
    for await (const entry of reader) {
      for (const [key, value] of Object.entries(entry.header.pax ?? {})) found.set(key, value);
      entry.resume();
    }
    const value = Buffer.from(found.get('SCHILY.xattr.user.odd%3D%25')!);
    expect(value).not.toEqual(Buffer.of(255, 10, 0));
    expect(value.toString()).toContain('\ufffd');
  });
});
