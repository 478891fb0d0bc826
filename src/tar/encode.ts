/** Makes tar headers: plain ustar where everything fits, else a PAX header in front. Equal input, equal bytes. */
import { encodeName } from '../host/path-bytes.ts';
import { BLOCK, MAX_EXTENSION_BYTES, padding, type TarHeader, type TarType } from './entry.ts';
import { writeChecksum, writeOctal } from './numeric.ts';
import { encodePax, formatPaxTime, type PaxRecords, xattrKey } from './pax.ts';

const TYPE_FLAGS: Record<TarType, number> = {
  file: 0x30,
  link: 0x31,
  symlink: 0x32,
  char: 0x33,
  block: 0x34,
  directory: 0x35,
  fifo: 0x36,
};
const MAX_7_DIGITS = 0o7777777;
const MAX_11_DIGITS = 0o77777777777;
const SECOND = 1_000_000_000n;

/** The end of an archive: two blocks of zeros. */
export const END_OF_ARCHIVE = Buffer.alloc(2 * BLOCK);

/**
 * All header blocks of one entry; its content follows, padded to whole blocks. The name of a directory should end in a
 * slash, as every tar has it. @throws TypeError for what no header can say.
 */
export function encodeHeader(header: TarHeader): Buffer {
  const name = encodeName(header.name);
  const link = header.linkName === undefined ? NOTHING : encodeName(header.linkName);
  const split = splitName(name);
  const seconds = Number(header.mtime / SECOND);
  const isPlain =
    split !== undefined &&
    link.length <= 100 &&
    isAscii(link) &&
    header.uid <= MAX_7_DIGITS &&
    header.gid <= MAX_7_DIGITS &&
    header.size <= MAX_11_DIGITS &&
    header.mtime >= 0n &&
    seconds <= MAX_11_DIGITS &&
    header.mtime % SECOND === 0n &&
    header.xattrs === undefined;
  if (isPlain) {
    const block = Buffer.alloc(BLOCK);
    fillBlock(block, 0, header, split, link, seconds);
    return block;
  }
  return encodeExtended(header, name, link, split, seconds);
}

interface SplitName {
  readonly prefix: Buffer;
  readonly name: Buffer;
}

const NOTHING = Buffer.alloc(0);

function encodeExtended(
  header: TarHeader,
  name: Buffer,
  link: Buffer,
  split: SplitName | undefined,
  seconds: number,
): Buffer {
  const records = paxRecords(header, name, link, split !== undefined, seconds);
  if (records.size === 0) {
    const block = Buffer.alloc(BLOCK);
    fillBlock(block, 0, header, split!, link, seconds);
    return block;
  }
  const pax = encodePax(records);
  if (pax.length > MAX_EXTENSION_BYTES)
    throw new TypeError('xattrs of one file are larger than 1 MiB');
  const paxBlocks = BLOCK + pax.length + padding(pax.length);
  const blocks = Buffer.alloc(paxBlocks + BLOCK);
  fillPaxBlock(blocks, pax.length, name);
  pax.copy(blocks, BLOCK);
  // Readers without PAX see a name cut short.
  fillBlock(
    blocks,
    paxBlocks,
    header,
    split ?? { prefix: NOTHING, name: name.subarray(0, 100) },
    link,
    seconds,
  );
  return blocks;
}

function paxRecords(
  header: TarHeader,
  name: Buffer,
  link: Buffer,
  isNamePlain: boolean,
  seconds: number,
): PaxRecords {
  const records: PaxRecords = new Map();
  if (!isNamePlain) records.set('path', name);
  if (link.length > 100 || !isAscii(link)) records.set('linkpath', link);
  if (header.uid > MAX_7_DIGITS) records.set('uid', Buffer.from(String(header.uid)));
  if (header.gid > MAX_7_DIGITS) records.set('gid', Buffer.from(String(header.gid)));
  if (header.size > MAX_11_DIGITS) records.set('size', Buffer.from(String(header.size)));
  if (header.mtime < 0n || seconds > MAX_11_DIGITS || header.mtime % SECOND !== 0n) {
    records.set('mtime', formatPaxTime(header.mtime));
  }
  for (const [key, value] of Object.entries(header.xattrs ?? {})) {
    records.set(xattrKey(key), Buffer.from(value.buffer, value.byteOffset, value.byteLength));
  }
  return records;
}

function fillBlock(
  blocks: Buffer,
  at: number,
  header: TarHeader,
  split: SplitName,
  link: Buffer,
  seconds: number,
): void {
  split.name.copy(blocks, at);
  writeOctal(blocks, at + 100, 8, header.mode);
  writeOctal(blocks, at + 108, 8, header.uid > MAX_7_DIGITS ? 0 : header.uid);
  writeOctal(blocks, at + 116, 8, header.gid > MAX_7_DIGITS ? 0 : header.gid);
  writeOctal(blocks, at + 124, 12, header.size > MAX_11_DIGITS ? 0 : header.size);
  writeOctal(blocks, at + 136, 12, seconds < 0 || seconds > MAX_11_DIGITS ? 0 : seconds);
  blocks[at + 156] = TYPE_FLAGS[header.type];
  link.copy(blocks, at + 157, 0, 100);
  fillMagic(blocks, at);
  if (header.device !== undefined) {
    const { major, minor } = header.device;
    if (major > MAX_7_DIGITS || minor > MAX_7_DIGITS)
      throw new TypeError('device number is out of range');
    writeOctal(blocks, at + 329, 8, major);
    writeOctal(blocks, at + 337, 8, minor);
  }
  split.prefix.copy(blocks, at + 345);
  writeChecksum(blocks, at);
}

/** The header of the PAX header. Its name is only for readers that know no PAX. */
function fillPaxBlock(blocks: Buffer, size: number, name: Buffer): void {
  const base = name.subarray(name.lastIndexOf(0x2f, name.length - 2) + 1).subarray(0, 80);
  blocks.write('PaxHeaders.0/', 0, 'latin1');
  for (let at = 0; at < base.length; at += 1) blocks[13 + at] = base[at]! < 0x80 ? base[at]! : 0x5f;
  // A directory's slash would make old readers take this for one.
  if (base.at(-1) === 0x2f) blocks[13 + base.length - 1] = 0;
  writeOctal(blocks, 100, 8, 0o644);
  writeOctal(blocks, 108, 8, 0);
  writeOctal(blocks, 116, 8, 0);
  writeOctal(blocks, 124, 12, size);
  writeOctal(blocks, 136, 12, 0);
  blocks[156] = 0x78;
  fillMagic(blocks, 0);
  writeChecksum(blocks, 0);
}

function fillMagic(blocks: Buffer, at: number): void {
  blocks.write('ustar\x0000', at + 257, 'latin1');
}

/** Name, or prefix and name parted at a slash; `undefined` if ustar cannot hold it. */
function splitName(name: Buffer): SplitName | undefined {
  if (!isAscii(name)) return undefined;
  if (name.length <= 100) return { prefix: NOTHING, name };
  if (name.length > 256) return undefined;
  // The slash between them is not stored; a name may end in one.
  const slash = name.lastIndexOf(0x2f, Math.min(155, name.length - 2));
  if (slash <= 0 || name.length - slash - 1 > 100) return undefined;
  return { prefix: name.subarray(0, slash), name: name.subarray(slash + 1) };
}

function isAscii(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += 1) if (bytes[at]! >= 0x80) return false;
  return true;
}
