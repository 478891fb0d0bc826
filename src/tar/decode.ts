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

/** @throws TarFault */
export function decodeHeader(block: Buffer): RawHeader {
  if (!hasGoodChecksum(block)) throw new TarFault('its header has a bad checksum');
  const name = decodeHeaderName(block);
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
  const magic = block.toString('latin1', 257, 265);
  // GNU keeps times and the sparse map where ustar has the prefix.
  if (magic === 'ustar  \0') return 'gnu';
  if (!magic.startsWith('ustar\0')) return 'v7';
  return block.toString('latin1', 508, 512) === 'tar\0' ? 'star' : 'ustar';
}

function readText(block: Buffer, offset: number, length: number): string {
  if (block[offset] === 0) return '';
  const nul = block.indexOf(0, offset);
  const end = nul < 0 || nul > offset + length ? offset + length : nul;
  return decodeName(block.subarray(offset, end));
}
