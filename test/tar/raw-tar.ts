/** Archives by hand, byte for byte, independent of the code under test: what no decent writer would make. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { TarEntry } from '../../src/tar/entry.ts';
import { feedTar, scanTar } from '../../src/tar/scan.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

export interface RawFields {
  readonly name?: string | Buffer;
  readonly mode?: string;
  readonly uid?: string | Buffer;
  readonly gid?: string | Buffer;
  /** Octal digits, or the field's bytes. */
  readonly size?: string | Buffer;
  readonly mtime?: string | Buffer;
  readonly type?: string;
  readonly link?: string | Buffer;
  readonly magic?: string;
  readonly major?: string;
  readonly minor?: string;
  readonly prefix?: string;
  /** Bytes put anywhere, before the checksum is made. */
  readonly patch?: readonly (readonly [at: number, bytes: string | Buffer])[];
  readonly checksum?: 'unsigned' | 'signed' | 'wrong';
}

export function header(fields: RawFields): Buffer {
  const block = Buffer.alloc(512);
  const put = (at: number, value: string | Buffer) => Buffer.from(value as string).copy(block, at);
  put(0, fields.name ?? 'file');
  put(100, fields.mode ?? '0000644\0');
  put(108, fields.uid ?? '0000000\0');
  put(116, fields.gid ?? '0000000\0');
  put(124, fields.size ?? '00000000000\0');
  put(136, fields.mtime ?? '00000000000\0');
  put(156, fields.type ?? '0');
  put(157, fields.link ?? '');
  put(257, fields.magic ?? 'ustar\x0000');
  put(329, fields.major ?? '');
  put(337, fields.minor ?? '');
  put(345, fields.prefix ?? '');
  for (const [at, bytes] of fields.patch ?? []) put(at, bytes);
  block.fill(' ', 148, 156);
  let sum = 0;
  for (const byte of block) sum += fields.checksum === 'signed' ? (byte << 24) >> 24 : byte;
  if (fields.checksum === 'wrong') sum += 1;
  put(148, `${(sum < 0 ? sum + 0o1000000 : sum).toString(8).padStart(6, '0')}\0 `);
  return block;
}

/** Content, padded to whole blocks. */
export function data(bytes: string | Buffer): Buffer {
  const content = Buffer.from(bytes as string);
  return Buffer.concat([content, Buffer.alloc(-content.length & 511)]);
}

export function octal(size: number): string {
  return `${size.toString(8).padStart(11, '0')}\0`;
}

export function file(name: string, content: string | Buffer, fields: RawFields = {}): Buffer {
  const size = Buffer.from(content as string).length;
  return Buffer.concat([header({ name, size: octal(size), ...fields }), data(content)]);
}

/** A PAX header with these records; values may be bytes. */
export function pax(records: readonly (readonly [string, string | Buffer])[], type = 'x'): Buffer {
  return file('PaxHeaders/x', Buffer.concat(records.map(([key, value]) => record(key, value))), {
    type,
  });
}

export function record(key: string, value: string | Buffer): Buffer {
  const rest = Buffer.concat([
    Buffer.from(` ${key}=`),
    Buffer.from(value as string),
    Buffer.from('\n'),
  ]);
  let length = rest.length;
  while (length !== rest.length + String(length).length)
    length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

export const END = Buffer.alloc(1024);

/** What both ways of reading make of an archive; they must agree, also on the error. */
export function readEntries(archive: Buffer): TarEntry[] {
  const path = join(tempDirectory(), 'archive.tar');
  writeFileSync(path, archive);
  const fromFile = outcome(() => [...scanTar(path)]);
  for (const size of [archive.length, 512, 1000, 7]) {
    if (size === 7 && archive.length > 100_000) continue;
    const fromChunks = outcome(() => feed(archive, size));
    // Not the error of one of them, which a test may expect.
    if (String(fromChunks.error) !== String(fromFile.error))
      throw new Error(`they disagree: ${fromChunks.error}, but the file ${fromFile.error}`);
    if (!isDeepStrictEqual(fromChunks.entries, fromFile.entries))
      throw new Error('they disagree on the entries');
  }
  if (fromFile.error !== undefined) throw fromFile.error;
  return fromFile.entries!;
}

export function feed(archive: Buffer, chunkSize: number): TarEntry[] {
  const entries: TarEntry[] = [];
  const reader = feedTar((entry) => entries.push(entry));
  for (let at = 0; at < archive.length; at += chunkSize) {
    // A driver may reuse its buffer.
    const lent = Buffer.from(archive.subarray(at, at + chunkSize));
    reader.write(lent);
    lent.fill(0xee);
  }
  reader.end();
  return entries;
}

function outcome(read: () => TarEntry[]): { entries?: TarEntry[]; error?: unknown } {
  try {
    return { entries: read() };
  } catch (error) {
    return { error };
  }
}
