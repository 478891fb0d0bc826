import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isTsbuildError } from '../../src/errors.ts';
import { scanTar } from '../../src/tar/scan.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { data, END, feed, file, header, octal, pax, readEntries, record } from './raw-tar.ts';

function only(archive: Buffer) {
  const entries = readEntries(archive);
  expect(entries).toHaveLength(1);
  return entries[0]!;
}

/** The message of the ARCHIVE error that an archive is refused with. */
function refusal(archive: Buffer): string {
  try {
    readEntries(archive);
  } catch (error) {
    if (isTsbuildError(error) && error.code === 'ARCHIVE') return error.message;
    throw error;
  }
  return 'accepted';
}

/** GNU's form of numbers that have no room in octal. */
function base256(value: bigint, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let rest = BigInt.asUintN(length * 8, value);
  for (let at = length - 1; at >= 0; at -= 1, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
  bytes[0] = value < 0n ? 0xff : bytes[0]! | 0x80;
  return bytes;
}

describe('a scan', () => {
  test('finds every entry and where its bytes are', () => {
    const archive = Buffer.concat([
      header({ name: 'dir/', type: '5', mode: '0001777\0' }),
      file('dir/a', 'hello'),
      file('dir/empty', ''),
      header({ name: 'dir/link', type: '2', link: 'a' }),
      header({ name: 'dir/hard', type: '1', link: 'dir/a' }),
      header({ name: 'null', type: '3', major: '0000001\0', minor: '0000003\0' }),
      header({ name: 'disk', type: '4', major: '0000010\0', minor: '0000001\0' }),
      header({ name: 'pipe', type: '6' }),
      file('last', 'x'.repeat(1000), { mtime: '14000000000\0', uid: '0001750\0' }),
      END,
    ]);
    const entries = readEntries(archive);
    expect(entries.map((e) => [e.name, e.type, e.offset, e.size])).toEqual([
      ['dir/', 'directory', 512, 0],
      ['dir/a', 'file', 1024, 5],
      ['dir/empty', 'file', 2048, 0],
      ['dir/link', 'symlink', 2560, 0],
      ['dir/hard', 'link', 3072, 0],
      ['null', 'char', 3584, 0],
      ['disk', 'block', 4096, 0],
      ['pipe', 'fifo', 4608, 0],
      ['last', 'file', 5120, 1000],
    ]);
    expect(entries[0]).toMatchObject({ mode: 0o1777 });
    expect(entries[3]).toMatchObject({ linkName: 'a' });
    expect(entries[6]).toMatchObject({ device: { major: 8, minor: 1 } });
    expect(entries[8]).toMatchObject({ uid: 1000, mtime: 0o14000000000n * 1_000_000_000n });
  });

  test('needs no end mark, nor the padding of the last entry', () => {
    expect(readEntries(Buffer.alloc(0))).toEqual([]);
    expect(readEntries(END)).toEqual([]);
    expect(readEntries(Buffer.alloc(512))).toEqual([]);
    expect(only(file('a', 'hello'))).toMatchObject({ name: 'a' });
    expect(only(file('a', 'hello').subarray(0, 512 + 5))).toMatchObject({ name: 'a' });
  });

  test('stops at the end mark, whatever follows', () => {
    expect(only(Buffer.concat([file('a', ''), END, Buffer.alloc(700, 1)]))).toMatchObject({
      name: 'a',
    });
  });

  test('reads through any number of buffers', () => {
    const count = 2000;
    const archive = Buffer.concat(
      Array.from({ length: count }, (_, i) => file(`f${i}`, 'x'.repeat(i % 700))),
    );
    expect(readEntries(archive).map((e) => e.name)).toEqual(
      Array.from({ length: count }, (_, i) => `f${i}`),
    );
  });
});

describe('dialects', () => {
  test.each([
    ['v7 without magic', { magic: '', type: '\0' }, { type: 'file', name: 'file' }],
    [
      'a v7 directory, told by its slash',
      { magic: '', type: '\0', name: 'old/' },
      { type: 'directory' },
    ],
    [
      'v7 does not have devices',
      { magic: '', type: '3', major: '0000001\0' },
      { device: { major: 0, minor: 0 } },
    ],
    ['a contiguous file', { type: '7' }, { type: 'file' }],
    ['ustar with a prefix', { prefix: 'some/where' }, { name: 'some/where/file' }],
    ['a name that fills its field', { name: 'n'.repeat(100) }, { name: 'n'.repeat(100) }],
    [
      'star, whose prefix is shorter',
      { prefix: 'p'.repeat(131), patch: [[508, 'tar\0']] },
      { name: `${'p'.repeat(131)}/file` },
    ],
    [
      'GNU, which has times where ustar has the prefix',
      { magic: 'ustar  \0', prefix: '14000000000' },
      { name: 'file' },
    ],
    [
      'numbers with spaces',
      { mode: '   644 \0', uid: ' 17 \0   ', size: '          0 ' },
      { mode: 0o644, uid: 0o17 },
    ],
    ['empty numbers', { mode: '\0\0\0\0\0\0\0\0', mtime: '\0'.repeat(12) }, { mode: 0, mtime: 0n }],
    [
      'a checksum of signed bytes',
      { name: 'n\xff\xff', checksum: 'signed' },
      { name: 'n\xff\xff' },
    ],
    ['base-256 owners', { uid: base256(3_000_000_000n, 8) }, { uid: 3_000_000_000 }],
    ['a base-256 time before 1970', { mtime: base256(-5n, 12) }, { mtime: -5_000_000_000n }],
    ['a time that no clock can hold', { mtime: base256(1n << 52n, 12) }, { mtime: 0n }],
    ['a mode with the file type in it', { mode: '0100755\0' }, { mode: 0o755 }],
    ['a name that is no UTF-8', { name: Buffer.of(0x61, 0xff, 0x62) }, { name: 'a\udcffb' }],
    [
      'the size of what has no content',
      { type: '1', link: 'x', size: octal(7) },
      { type: 'link', size: 0 },
    ],
  ] as const)('%s', (_, fields, expected) => {
    expect(only(Buffer.concat([header(fields), END]))).toMatchObject(expected);
  });

  test('GNU long names and links', () => {
    const name = `long/${'n'.repeat(300)}`;
    const link = `../${'l'.repeat(200)}`;
    const archive = Buffer.concat([
      file('././@LongLink', `${link}\0`, { type: 'K' }),
      file('././@LongLink', `${name}\0`, { type: 'L' }),
      header({ name: name.slice(0, 100), type: '2', link: link.slice(0, 100), magic: 'ustar  \0' }),
      file('next', 'data'),
    ]);
    const [long, next] = readEntries(archive);
    expect(long).toMatchObject({ name, linkName: link, type: 'symlink' });
    expect(next).toMatchObject({ name: 'next', size: 4 });
  });

  test('PAX records win over the header, for one entry only', () => {
    const archive = Buffer.concat([
      pax([
        ['path', 'größe/файл'],
        ['uid', '4000000000'],
        ['gid', '12'],
        ['mtime', '1600000000.123456789123'],
        ['size', '3'],
        ['comment', 'ignored'],
      ]),
      header({ name: 'short', size: octal(0) }),
      data('abc'),
      file('plain', 'x'),
    ]);
    expect(readEntries(archive)).toMatchObject([
      {
        name: 'größe/файл',
        uid: 4000000000,
        gid: 12,
        mtime: 1_600_000_000_123_456_789n,
        size: 3,
        offset: 1536,
      },
      { name: 'plain', uid: 0, mtime: 0n, size: 1 },
    ]);
  });

  test('sizes above 8 GiB, in either form', () => {
    const path = join(tempDirectory(), 'big.tar');
    const size = 9 * 1024 ** 3;
    for (const head of [
      header({ size: base256(BigInt(size), 12) }),
      Buffer.concat([pax([['size', `${size}`]]), header({})]),
    ]) {
      writeFileSync(path, head);
      expect(() => [...scanTar(path)]).toThrow('the archive ends in the middle of its content');
      const entries = [];
      try {
        for (const entry of scanTar(path)) entries.push(entry);
      } catch {}
      expect(entries).toMatchObject([{ size }]);
    }
  });

  test('xattrs keep any bytes and any name', () => {
    // A file capability: 0x02000001 and so on is no UTF-8, so a reader that decodes values as text destroys it.
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
    const values = {
      'security.capability': Buffer.concat([capability, Buffer.of(0xff, 0xfe, 0)]),
      __proto__x: Buffer.of(10, 61),
    };
    const archive = Buffer.concat([
      pax([
        ...Object.entries(values).map(([name, value]) => [`SCHILY.xattr.${name}`, value] as const),
        ['SCHILY.xattr.__proto__', 'own'],
        ['SCHILY.xattr.user.a%3Db%25', 'gnu'],
      ]),
      file('f', ''),
    ]);
    const { xattrs } = only(archive);
    expect(Object.keys(xattrs!).sort()).toEqual([
      '__proto__',
      '__proto__x',
      'security.capability',
      'user.a=b%',
    ]);
    expect(Buffer.from(xattrs!['security.capability']!)).toEqual(values['security.capability']);
    expect(Buffer.from(xattrs!.__proto__x!)).toEqual(Buffer.of(10, 61));
  });

  test('global headers are not applied, as Docker and Go do', () => {
    const archive = Buffer.concat([
      pax(
        [
          ['path', 'everywhere'],
          ['comment', 'a commit'],
        ],
        'g',
      ),
      file('a', 'x'),
    ]);
    expect(only(archive)).toMatchObject({ name: 'a' });
  });
});

describe('sparse files', () => {
  const pieces = [
    { offset: 512, size: 3 },
    { offset: 4096, size: 2 },
  ];

  test('in the old GNU form', () => {
    const map = pieces.flatMap((piece) => [octal(piece.offset), octal(piece.size)]).join('');
    const archive = Buffer.concat([
      header({
        name: 's',
        type: 'S',
        magic: 'ustar  \0',
        size: octal(5),
        patch: [
          [386, map],
          [483, octal(9000)],
        ],
      }),
      data('abcde'),
      file('next', ''),
    ]);
    expect(readEntries(archive)).toMatchObject([
      { name: 's', type: 'file', size: 9000, storedSize: 5, offset: 512, sparse: pieces },
      { name: 'next' },
    ]);
  });

  test('in the old GNU form with blocks that continue the map', () => {
    const many = Array.from({ length: 30 }, (_, i) => ({ offset: i * 1024, size: 1 }));
    const map = many.map((piece) => octal(piece.offset) + octal(piece.size));
    const extension = (text: string, more: string) => {
      const block = Buffer.alloc(512);
      block.write(text);
      block.write(more, 504);
      return block;
    };
    const archive = Buffer.concat([
      header({
        type: 'S',
        magic: 'ustar  \0',
        size: octal(30),
        patch: [
          [386, map.slice(0, 4).join('')],
          [482, '\x01'],
          [483, octal(99999)],
        ],
      }),
      extension(map.slice(4, 25).join(''), '\x01'),
      extension(map.slice(25).join(''), ''),
      data('x'.repeat(30)),
      file('next', ''),
    ]);
    expect(readEntries(archive)).toMatchObject([
      { size: 99999, offset: 1536, sparse: many },
      { name: 'next' },
    ]);
  });

  test.each([
    [
      '0.0',
      [
        ['GNU.sparse.size', '9000'],
        ['GNU.sparse.numblocks', '2'],
        ['GNU.sparse.offset', '512'],
        ['GNU.sparse.numbytes', '3'],
        ['GNU.sparse.offset', '4096'],
        ['GNU.sparse.numbytes', '2'],
      ],
    ],
    [
      '0.1',
      [
        ['GNU.sparse.size', '9000'],
        ['GNU.sparse.name', 's'],
        ['GNU.sparse.map', '512,3,4096,2'],
      ],
    ],
  ] as const)('in PAX form %s', (_, records) => {
    const archive = Buffer.concat([pax(records), file('s', 'abcde'), file('next', '')]);
    expect(readEntries(archive)).toMatchObject([
      { name: 's', size: 9000, storedSize: 5, sparse: pieces },
      { name: 'next' },
    ]);
  });

  const version1 = [
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.minor', '0'],
    ['GNU.sparse.name', 's'],
    ['GNU.sparse.realsize', '9000'],
  ] as const;

  test('in PAX form 1.0, with the map in front of the data', () => {
    const archive = Buffer.concat([
      pax(version1),
      header({ name: 'GNUSparseFile.0/s', size: octal(512 + 5) }),
      data('2\n512\n3\n4096\n2\n'),
      data('abcde'),
      file('next', ''),
    ]);
    expect(readEntries(archive)).toMatchObject([
      { name: 's', size: 9000, storedSize: 5, offset: 2048, sparse: pieces },
      { name: 'next' },
    ]);
  });

  test.each([
    ['overlap', '2\n0\n3\n2\n2\n', 'its sparse map is not in order'],
    ['lie outside the file', '1\n9000\n5\n', 'its sparse map is not in order'],
    ['do not add up', '1\n0\n4\n', 'its sparse map does not match what is stored'],
    ['are too many', `${10 ** 7}\n`, 'its sparse map is too long'],
    ['are no numbers', '1\n-1\n5\n', 'its sparse map is malformed'],
    ['never end', '2\n0\n', 'its sparse map is malformed'],
  ])('are refused when their pieces %s', (_, map, why) => {
    const archive = Buffer.concat([
      pax(version1),
      header({ size: octal(512 + 5) }),
      data(map),
      data('abcde'),
    ]);
    expect(refusal(archive)).toBe(`read archive entry "s": ${why}`);
  });
});

describe('an archive is refused', () => {
  const huge = Buffer.alloc(1024 * 1024 + 512, 'x');
  test.each([
    [
      'cut in a header',
      file('a', 'x').subarray(0, 300),
      'archive: it ends in the middle of a header',
    ],
    [
      'cut in content',
      file('a', 'x'.repeat(600)).subarray(0, 1100),
      'archive entry "a": the archive ends in the middle of its content',
    ],
    [
      'cut in an extended header',
      pax([['path', 'p'.repeat(600)]]).subarray(0, 700),
      'archive entry "PaxHeaders/x": the archive ends in its extended header',
    ],
    [
      'with a bad checksum',
      header({ name: 'a', checksum: 'wrong' }),
      'archive entry "a": its header has a bad checksum',
    ],
    [
      'that is something else',
      Buffer.alloc(2048, 'no tar'),
      `archive entry "${'no tar'.repeat(17).slice(0, 100)}": its checksum is not a number`,
    ],
    [
      'with zeros in the middle',
      Buffer.concat([Buffer.alloc(512), file('a', '')]),
      'archive: a block of zeros stands between its entries',
    ],
    [
      'with a negative size',
      header({ name: 'a', size: base256(-1n, 12) }),
      'archive entry "a": its size is negative',
    ],
    [
      'with a negative size in PAX',
      Buffer.concat([pax([['size', '-1']]), header({ name: 'a' })]),
      'archive entry "a": its size is negative',
    ],
    [
      'with a size beyond all disks',
      header({ name: 'a', size: base256(1n << 80n, 12) }),
      'archive entry "a": its size is out of range',
    ],
    [
      'with a size that is no number',
      header({ name: 'a', size: 'lots\0' }),
      'archive entry "a": its size is not a number',
    ],
    [
      'with a huge extended header',
      Buffer.concat([header({ name: 'x', type: 'x', size: octal(huge.length) }), huge]),
      'archive entry "x": its extended header is larger than 1 MiB',
    ],
    [
      'with endless extended headers',
      Buffer.concat(Array(3).fill(pax([['comment', 'c'.repeat(500_000)]]))),
      'archive entry "PaxHeaders/x": its extended header is larger than 1 MiB',
    ],
    [
      'with a huge GNU name',
      Buffer.concat([file('L', 'n'.repeat(5000), { type: 'L' }), header({})]),
      `archive entry "${'n'.repeat(300)}": its name is longer than 4096 bytes`,
    ],
    [
      'with a huge link target',
      Buffer.concat([pax([['linkpath', 'n'.repeat(5000)]]), header({ name: 'a', type: '2' })]),
      'archive entry "a": its link target is longer than 4096 bytes',
    ],
    [
      'with a NUL in a PAX name',
      Buffer.concat([pax([['path', 'a\0b']]), header({})]),
      'archive entry "PaxHeaders/x": its PAX header has a NUL in path',
    ],
    [
      'with an unknown type',
      header({ name: 'a', type: 'V' }),
      'archive entry "a": it has the unknown type "V"',
    ],
    ['without a name', header({ name: '' }), 'archive entry "": it has no name'],
    [
      'with an owner of -1',
      header({ name: 'a', uid: base256(0xffff_ffffn, 8) }),
      'archive entry "a": its owner 4294967295 is out of range',
    ],
    [
      'with an xattr above 64 KiB',
      Buffer.concat([pax([['SCHILY.xattr.user.x', 'v'.repeat(65537)]]), header({})]),
      'archive entry "PaxHeaders/x": its xattr user.x is larger than 64 KiB',
    ],
    [
      'with a time that is none',
      Buffer.concat([pax([['mtime', 'now']]), header({})]),
      'archive entry "PaxHeaders/x": its PAX header has a time that is not a number',
    ],
  ])('%s', (_, archive, message) => {
    expect(refusal(archive)).toBe(`read ${message}`);
  });

  test.each([
    ['shorter than it is', '5 path=x\n'],
    ['longer than the header', '99 path=x\n'],
    ['missing', ' path=x\n'],
    ['all that there is of it', '9 path=x\n8'],
    ['not decimal', '0xa path=\n'],
    ['huge', '99999999999999999999 path=x\n'],
  ])('with a PAX record whose length is %s', (_, text) => {
    const archive = Buffer.concat([file('x', text, { type: 'x' }), header({})]);
    expect(refusal(archive)).toBe('read archive entry "x": its PAX header is malformed');
  });

  test.each([
    ['no equals sign', record('path', '').toString().replace('=', ':')],
    ['no key', '5 =x\n'],
    ['no newline', '9 path=xy'],
  ])('with a PAX record that has %s', (_, text) => {
    expect(refusal(Buffer.concat([file('x', text, { type: 'x' }), header({})]))).toContain(
      'its PAX header is malformed',
    );
  });
});

test('a feed that is not ended has seen all entries but no truncation', () => {
  const archive = file('a', 'x'.repeat(600));
  expect(() => feed(archive.subarray(0, 700), 700)).toThrow('ends in the middle');
});
