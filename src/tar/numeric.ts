/** Numbers and checksums of tar headers: octal text, and GNU's base-256 for what does not fit. */
import { TarFault } from './entry.ts';

/** Reads a numeric field. Empty is 0. @throws TarFault if it is no number, or beyond 2^53. */
export function readNumber(block: Buffer, offset: number, length: number, field: string): number {
  const first = block[offset]!;
  if (first & 0x80) return readBase256(block, offset, length, field);
  let at = offset;
  let end = offset + length;
  while (at < end && (block[at] === 0x20 || block[at] === 0)) at += 1;
  while (end > at && (block[end - 1] === 0x20 || block[end - 1] === 0)) end -= 1;
  let value = 0;
  for (; at < end; at += 1) {
    const digit = block[at]! - 0x30;
    // Some writers leave rubbish behind the terminating NUL.
    if (block[at] === 0) break;
    if (digit < 0 || digit > 7) throw new TarFault(`its ${field} is not a number`);
    value = value * 8 + digit;
  }
  return value;
}

function readBase256(block: Buffer, offset: number, length: number, field: string): number {
  const negative = (block[offset]! & 0x40) !== 0;
  let value = BigInt(block[offset]! & 0x3f);
  for (let at = offset + 1; at < offset + length; at += 1)
    value = (value << 8n) | BigInt(block[at]!);
  if (negative) value -= 1n << BigInt(length * 8 - 2);
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new TarFault(`its ${field} is out of range`);
  return number;
}

/** Digits with leading zeros, as wide as the field less its terminating NUL. The caller knows that it fits. */
export function writeOctal(block: Buffer, offset: number, length: number, value: number): void {
  let at = offset + length - 2;
  let rest = value;
  for (; rest > MAX_INT32; at -= 1) {
    block[at] = 0x30 + (rest % 8);
    rest = Math.floor(rest / 8);
  }
  // Most are small: shifts are much quicker than divisions.
  for (; at >= offset; at -= 1) {
    block[at] = 0x30 + (rest & 7);
    rest >>= 3;
  }
}

const MAX_INT32 = 0x7fff_ffff;

const CHECKSUM_AT = 148;

/** Sum of the block's bytes with the checksum field taken as spaces; old writers summed signed bytes. */
function checksums(block: Buffer): { unsigned: number; signed: number } {
  let unsigned = 0;
  let high = 0;
  for (let at = 0; at < 512; at += 1) {
    const byte = block[at]!;
    unsigned += byte;
    high += byte >> 7;
  }
  for (let at = CHECKSUM_AT; at < CHECKSUM_AT + 8; at += 1) {
    unsigned += 0x20 - block[at]!;
    high -= block[at]! >> 7;
  }
  return { unsigned, signed: unsigned - 256 * high };
}

/** Of a block whose checksum field is still empty. */
export function writeChecksum(block: Buffer, start = 0): void {
  let sum = 8 * 0x20;
  for (let at = start; at < start + 512; at += 1) sum += block[at]!;
  writeOctal(block, start + CHECKSUM_AT, 7, sum);
  block[start + CHECKSUM_AT + 6] = 0;
  block[start + CHECKSUM_AT + 7] = 0x20;
}

export function hasGoodChecksum(block: Buffer): boolean {
  const stored = readNumber(block, CHECKSUM_AT, 8, 'checksum');
  const { unsigned, signed } = checksums(block);
  return stored === unsigned || stored === signed;
}
