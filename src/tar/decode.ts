/** Takes one 512-byte header block apart, in whichever dialect it was written. */
import { decodeName } from '../host/path-bytes.ts';
import { BLOCK, TarFault } from './entry.ts';
import { hasGoodChecksum, readNumber } from './numeric.ts';

/** The fields of one block as they are; what an extended header says goes on top of them in parse.ts. */
export interface RawHeader {
  readonly name: string;
  /** The type flag, as a character; NUL is `\0`. */
  readonly flag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Seconds. */
  readonly mtime: number;
  readonly linkName: string;
  readonly major: number;
  readonly minor: number;
  /** Of old GNU sparse files only: the block, where the map begins. */
  readonly block: Buffer;
}

export function isZeroBlock(block: Buffer): boolean {
  return block[0] === 0 && block.equals(ZEROS);
}

const ZEROS = Buffer.alloc(BLOCK);

/** The name as the block has it: for messages, before it is known whether the block is a header at all. */
export function decodeHeaderName(block: Buffer): string {
  return readText(block, 0, 100);
}

/** With {@link decodeHeaderName} of the block. @throws TarFault */
export function decodeHeader(block: Buffer, name: string): RawHeader {
  if (!hasGoodChecksum(block)) throw new TarFault('its header has a bad checksum');
  const dialect = dialectOf(block);
  const prefix =
    dialect === 'ustar'
      ? readText(block, 345, 155)
      : dialect === 'star'
        ? readText(block, 345, 131)
        : '';
  const hasDevice = dialect !== 'v7';
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    flag: String.fromCharCode(block[156]!),
    mode: readNumber(block, 100, 8, 'mode'),
    uid: readNumber(block, 108, 8, 'uid'),
    gid: readNumber(block, 116, 8, 'gid'),
    size: readNumber(block, 124, 12, 'size'),
    mtime: readNumber(block, 136, 12, 'mtime'),
    linkName: readText(block, 157, 100),
    major: hasDevice ? readNumber(block, 329, 8, 'device') : 0,
    minor: hasDevice ? readNumber(block, 337, 8, 'device') : 0,
    block,
  };
}

function dialectOf(block: Buffer): 'v7' | 'ustar' | 'star' | 'gnu' {
  // GNU keeps times and the sparse map where ustar has the prefix.
  if (isAt(block, 257, GNU)) return 'gnu';
  if (!isAt(block, 257, USTAR)) return 'v7';
  return isAt(block, 508, STAR) ? 'star' : 'ustar';
}

const GNU = Buffer.from('ustar  \0');
const USTAR = Buffer.from('ustar\0');
const STAR = Buffer.from('tar\0');

/** Here and below: a loop over some bytes is quicker than any call that leaves JavaScript, and there are many headers. */
function isAt(block: Buffer, offset: number, bytes: Buffer): boolean {
  for (let n = 0; n < bytes.length; n += 1) if (block[offset + n] !== bytes[n]) return false;
  return true;
}

function readText(block: Buffer, offset: number, length: number): string {
  let end = offset;
  let bits = 0;
  for (; end < offset + length && block[end] !== 0; end += 1) bits |= block[end]!;
  if (end === offset) return '';
  return bits < 0x80
    ? block.toString('latin1', offset, end)
    : decodeName(block.subarray(offset, end));
}
