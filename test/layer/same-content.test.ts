import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sameContent } from '../../src/layer/same-content.ts';
import type { Content } from '../../src/tree/file-tree.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const large = Buffer.alloc(1_000_000, 'large');
const otherEnd = Buffer.from(large);
otherEnd[999_999] = 0;

describe.each<[string, (bytes: Buffer) => Content]>([
  ['bytes', (bytes) => ({ bytes })],
  ['a file', (bytes) => rangeOf(bytes, 0)],
  ['a range of a file', (bytes) => rangeOf(bytes, 513)],
])('content that is %s', (_, from) => {
  it.each<[string, Buffer, Buffer, boolean]>([
    ['nothing and nothing', Buffer.alloc(0), Buffer.alloc(0), true],
    ['the same text', Buffer.from('text'), Buffer.from('text'), true],
    ['another text', Buffer.from('text'), Buffer.from('test'), false],
    ['a longer text', Buffer.from('text'), Buffer.from('texts'), false],
    ['much of the same', large, Buffer.from(large), true],
    ['much with another end', large, otherEnd, false],
  ])('is compared with bytes: %s', (_, a, b, expected) => {
    expect(sameContent(from(a), { bytes: b })).toBe(expected);
    expect(sameContent({ bytes: b }, from(a))).toBe(expected);
    expect(sameContent(from(a), from(b))).toBe(expected);
  });
});

it('content of a file that is shorter than it should be is not the same', () => {
  const content = rangeOf(Buffer.from('text'), 0);
  const longer = { ...content, size: 5 } as Content;
  expect(sameContent(longer, { bytes: Buffer.from('text\0') })).toBe(false);
  expect(sameContent({ bytes: Buffer.from('text\0') }, longer)).toBe(false);
});

function rangeOf(bytes: Buffer, offset: number): Content {
  const file = join(tempDirectory(), 'file');
  const behind = offset === 0 ? '' : 'behind';
  writeFileSync(file, Buffer.concat([Buffer.alloc(offset), bytes, Buffer.from(behind)]));
  return { file, offset, size: bytes.length };
}
