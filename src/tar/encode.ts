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
  return headerEncoder()(header);
}

/** {@link encodeHeader} for many: what it returns is lent until the next call. */
export function headerEncoder(): (header: TarHeader) => Buffer {
  const block = Buffer.alloc(BLOCK);
  const secondsOf = wholeSeconds();
  return (header) => {
    const name = byteText(header.name);
    const link = header.linkName === undefined ? '' : byteText(header.linkName);
    const split = name === header.name ? splitName(name) : undefined;
    const seconds = secondsOf(header.mtime);
    const isPlain =
      split !== undefined &&
      link.length <= 100 &&
      (link === '' || link === header.linkName) &&
      header.uid <= MAX_7_DIGITS &&
      header.gid <= MAX_7_DIGITS &&
      header.size <= MAX_11_DIGITS &&
      seconds !== undefined &&
      header.xattrs === undefined;
    if (!isPlain) return encodeExtended(header, name, link, split);
    block.fill(0);
    fillBlock(block, 0, header, split, link, seconds);
    return block;
  };
}

/** The seconds of a time that a plain header can say. Files that come one after the other often have the same. */
function wholeSeconds(): (time: bigint) => number | undefined {
  let time = 0n;
  let known: number | undefined = 0;
  return (asked) => {
    if (asked === time) return known;
    time = asked;
    const seconds = Number(time / SECOND);
    const isPlain = time >= 0n && seconds <= MAX_11_DIGITS && time % SECOND === 0n;
    known = isPlain ? seconds : undefined;
    return known;
  };
}

/** A name with one character for each of its bytes: the name itself if it is ASCII. */
function byteText(name: string): string {
  return ASCII.test(name) ? name : encodeName(name).toString('latin1');
}

const ASCII = /^[\0-\x7f]*$/;

interface SplitName {
  readonly prefix: string;
  readonly name: string;
}

function encodeExtended(
  header: TarHeader,
  name: string,
  link: string,
  split: SplitName | undefined,
): Buffer {
  const seconds = Number(header.mtime / SECOND);
  const pax = encodePax(paxRecords(header, name, link, split !== undefined, seconds));
  if (pax.length > MAX_EXTENSION_BYTES)
    throw new TypeError('xattrs of one file are larger than 1 MiB');
  const paxBlocks = pax.length === 0 ? 0 : BLOCK + pax.length + padding(pax.length);
  const blocks = Buffer.alloc(paxBlocks + BLOCK);
  if (paxBlocks > 0) fillPaxBlock(blocks, pax.length, name);
  pax.copy(blocks, BLOCK);
  // Readers without PAX see a name cut short.
  const shown = split ?? { prefix: '', name: name.slice(0, 100) };
  fillBlock(blocks, paxBlocks, header, shown, link, seconds);
  return blocks;
}

function paxRecords(
  header: TarHeader,
  name: string,
  link: string,
  isNamePlain: boolean,
  seconds: number,
): PaxRecords {
  const records: PaxRecords = new Map();
  if (!isNamePlain) records.set('path', Buffer.from(name, 'latin1'));
  if (link.length > 100 || !ASCII.test(link)) records.set('linkpath', Buffer.from(link, 'latin1'));
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

/** `blocks` holds zeros there. */
function fillBlock(
  blocks: Buffer,
  at: number,
  header: TarHeader,
  split: SplitName,
  link: string,
  seconds: number,
): void {
  writeBytes(blocks, at, split.name);
  writeOctal(blocks, at + 100, 8, header.mode);
  writeOctal(blocks, at + 108, 8, header.uid > MAX_7_DIGITS ? 0 : header.uid);
  writeOctal(blocks, at + 116, 8, header.gid > MAX_7_DIGITS ? 0 : header.gid);
  writeOctal(blocks, at + 124, 12, header.size > MAX_11_DIGITS ? 0 : header.size);
  writeOctal(blocks, at + 136, 12, seconds < 0 || seconds > MAX_11_DIGITS ? 0 : seconds);
  blocks[at + 156] = TYPE_FLAGS[header.type];
  writeBytes(blocks, at + 157, link.slice(0, 100));
  writeBytes(blocks, at + 257, MAGIC);
  if (header.device !== undefined) {
    const { major, minor } = header.device;
    if (major > MAX_7_DIGITS || minor > MAX_7_DIGITS)
      throw new TypeError('device number is out of range');
    writeOctal(blocks, at + 329, 8, major);
    writeOctal(blocks, at + 337, 8, minor);
  }
  writeBytes(blocks, at + 345, split.prefix);
  writeChecksum(blocks, at);
}

/** Spelled out: to call into the engine for a few bytes takes longer. */
function writeBytes(blocks: Buffer, at: number, text: string): void {
  for (let i = 0; i < text.length; i += 1) blocks[at + i] = text.charCodeAt(i);
}

/** The header of the PAX header. Its name is only for readers that know no PAX. */
function fillPaxBlock(blocks: Buffer, size: number, name: string): void {
  const base = name.slice(name.lastIndexOf('/', name.length - 2) + 1).slice(0, 80);
  // A directory's slash would make old readers take this for one.
  const shown = base.replace(/[\x80-\xff]/g, '_').replace(/\/$/, '');
  writeBytes(blocks, 0, `PaxHeaders.0/${shown}`);
  writeOctal(blocks, 100, 8, 0o644);
  writeOctal(blocks, 108, 8, 0);
  writeOctal(blocks, 116, 8, 0);
  writeOctal(blocks, 124, 12, size);
  writeOctal(blocks, 136, 12, 0);
  blocks[156] = 0x78;
  writeBytes(blocks, 257, MAGIC);
  writeChecksum(blocks, 0);
}

const MAGIC = 'ustar\x0000';

/** Name, or prefix and name parted at a slash; `undefined` if ustar cannot hold it. */
function splitName(name: string): SplitName | undefined {
  if (name.length <= 100) return { prefix: '', name };
  if (name.length > 256) return undefined;
  // The slash between them is not stored; a name may end in one.
  const slash = name.lastIndexOf('/', Math.min(155, name.length - 2));
  if (slash <= 0 || name.length - slash - 1 > 100) return undefined;
  return { prefix: name.slice(0, slash), name: name.slice(slash + 1) };
}
