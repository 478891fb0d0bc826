/** Archives with some bytes changed at random, where the checksums of headers still hold: what readers trip over. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isTsbuildError } from '../../src/errors.ts';
import { encodeHeader } from '../../src/tar/encode.ts';
import { padding } from '../../src/tar/entry.ts';
import { anyHeader } from './arbitrary.ts';
import { data, END, file, header, octal, pax, readEntries } from './raw-tar.ts';

const oldSparse = header({
  type: 'S',
  magic: 'ustar  \0',
  size: octal(5),
  patch: [
    [386, octal(0)],
    [398, octal(5)],
    [483, octal(5)],
  ],
});
const paxSparse = [
  pax([
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.minor', '0'],
    ['GNU.sparse.name', 'sparse'],
    ['GNU.sparse.realsize', '5'],
  ]),
  file('GNUSparseFile.0/sparse', Buffer.concat([data('1\n0\n5\n'), Buffer.from('hello')])),
];
const longName = file('././@LongLink', `${'n'.repeat(200)}\0`, { type: 'L', magic: 'ustar  \0' });

const anyMember = fc.oneof(
  anyHeader.map((each) =>
    Buffer.concat([encodeHeader(each), Buffer.alloc(each.size + padding(each.size), 'x')]),
  ),
  fc.constantFrom(
    Buffer.concat([oldSparse, data('hello')]),
    Buffer.concat(paxSparse),
    Buffer.concat([longName, file('short', 'text')]),
    pax([
      ['path', 'a/b'],
      ['mtime', '1.5'],
      ['SCHILY.xattr.user.x', Buffer.of(0xff)],
    ]),
  ),
);

const anyDamage = fc.record({
  at: fc.nat(),
  byte: fc.oneof(fc.constantFrom(0, 0x20, 0x0a, 0x30, 0x37, 0x3d, 0xff), fc.nat(255)),
});

/** Repairs the checksum of the block, if it is a header or might be one. */
function damage(archive: Buffer, { at, byte }: { at: number; byte: number }): void {
  const place = at % archive.length;
  archive[place] = byte;
  const block = archive.subarray(place - (place % 512), place - (place % 512) + 512);
  const sum = block.reduce((all, each, n) => all + (n < 148 || n >= 156 ? each : 0x20), 0);
  if (block.toString('latin1', 257, 262) === 'ustar')
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

test('an archive that is damaged is read or refused, and in the same way however it comes', () => {
  fc.assert(
    fc.property(
      fc.array(anyMember, { minLength: 1, maxLength: 4 }),
      fc.array(anyDamage, { minLength: 1, maxLength: 4 }),
      (members, changes) => {
        const archive = Buffer.concat([...members, END]);
        for (const change of changes) damage(archive, change);
        try {
          readEntries(archive);
        } catch (error) {
          expect(isTsbuildError(error) && error.code).toBe('ARCHIVE');
        }
      },
    ),
    { numRuns: 500 },
  );
});
