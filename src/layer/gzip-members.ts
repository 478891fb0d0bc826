/**
 * Bytes as gzip members. What looks random is stored: to squeeze it would cost more time than anything else, and gain less
 * than a hundredth. The rest is squeezed by ISA-L or libdeflate where the host has them, or else by zlib.
 */
import zlib from 'node:zlib';
import { lazily } from '../host/lazily.ts';
import { openIsal } from './isal-deflate.ts';
import { openLibdeflate } from './libdeflate.ts';
import type { Squeezer } from './squeezer.ts';

/** Each piece is squeezed or stored as a whole: as small as one can be and still tell what it is like. */
const PIECE = 32 * 1024;

/** What comes out at most. Each run may cost a member's frame, and the blocks that what is stored is cut into. */
export function gzipRoom(size: number): number {
  return size + Math.ceil(size / PIECE) * 64 + 1024;
}

/** Puts the members at the start of the output, and returns where they end. */
export function gzipMembers(
  input: Buffer,
  output: Buffer,
  level?: number,
  open: OpenSqueezer = openSqueezer,
): number {
  using squeezer = open(level);
  let size = 0;
  for (const { start, end, isRandom } of runsOf(input)) {
    const run = input.subarray(start, end);
    const squeezed = isRandom ? 0 : squeezer.squeeze(run, output.subarray(size));
    size += squeezed || storedMember(run, output.subarray(size));
  }
  return size;
}

export type OpenSqueezer = (level?: number) => Squeezer;

/** Where nobody asks for a level, what comes out is about as large as docker's. */
const LEVEL = { libdeflate: 2, zlib: 4 };

/**
 * Seconds of a core, and what is left in percent. Of the first, docker's gzip, which is Go's at its default level, leaves
 * 73.1 %; of real files about what zlib's level 6 does, so there what ISA-L makes is larger by 7 to 10 hundredths. To send
 * those to a registry takes less time than to squeeze them out, unless it is far away: then there are levels to ask for.
 *
 * |                      | 512 MB, half random | Debian, 180 MB | node_modules, 181 MB |
 * | -------------------- | ------------------- | -------------- | -------------------- |
 * | ISA-L                | 0.97 s, 73.7        | 0.49 s, 39.2   | 0.50 s, 36.9         |
 * | libdeflate's level 2 | 2.81 s, 72.0        | 1.22 s, 36.8   | 1.25 s, 34.2         |
 * | zlib's level 4       | 3.83 s, 73.0        | 1.99 s, 37.5   | 2.12 s, 34.5         |
 * | zlib's level 6       | 4.16 s, 72.7        | 3.34 s, 36.7   | 3.75 s, 33.4         |
 */
function openSqueezer(level?: number): Squeezer {
  return (
    (level === undefined ? openIsal() : undefined) ??
    openLibdeflate(level ?? LEVEL.libdeflate) ??
    openZlib(level)
  );
}

/** Of what zlib gives back at once. */
const CHUNK = 128 * 1024;
/** The largest hash table and the longest blocks: faster by a seventh or more, and no larger by half a hundredth. */
const MEMORY_LEVEL = 9;

export function openZlib(level = LEVEL.zlib): Squeezer {
  const options = { level, memLevel: MEMORY_LEVEL, chunkSize: CHUNK };
  return {
    squeeze: (input, output) => {
      const member = zlib.gzipSync(input, options);
      return member.length <= output.length ? member.copy(output) : 0;
    },
    [Symbol.dispose]() {},
  };
}

interface Run {
  readonly start: number;
  end: number;
  readonly isRandom: boolean;
}

/** Neighbours of one kind are squeezed at once. */
function runsOf(input: Buffer): readonly Run[] {
  if (input.length === 0) return [{ start: 0, end: 0, isRandom: false }];
  const runs: Run[] = [];
  const counts = new Uint32Array(256);
  for (let start = 0; start < input.length; start += PIECE) {
    const end = Math.min(start + PIECE, input.length);
    const isRandom = looksRandom(input.subarray(start, end), counts);
    const last = runs.at(-1);
    if (last?.isRandom === isRandom) last.end = end;
    else runs.push({ start, end, isRandom });
  }
  return runs;
}

/**
 * Bits a byte: what is squeezed already, or encrypted, has nearly 8, of which a sample shows less the smaller it is. Text is
 * told by few bytes. Strides are odd, so that data in rows of 2ⁿ bytes does not show only one column.
 */
const RANDOM = [
  { stride: 41, bits: 7.5 },
  { stride: 11, bits: 7.915 },
] as const;

function looksRandom(piece: Buffer, counts: Uint32Array): boolean {
  return RANDOM.every(({ stride, bits }) => sampledEntropy(piece, stride, counts) > bits);
}

function sampledEntropy(piece: Buffer, stride: number, counts: Uint32Array): number {
  counts.fill(0);
  for (let at = 0; at < piece.length; at += stride) counts[piece[at]!]! += 1;
  const samples = Math.ceil(piece.length / stride);
  const sums = nLogN();
  let sum = 0;
  for (let byte = 0; byte < counts.length; byte += 1) sum += sums[counts[byte]!]!;
  return Math.log2(samples) - sum / samples;
}

/** Of each number that a count may be. */
const nLogN = lazily(() =>
  Float64Array.from({ length: PIECE / RANDOM[1].stride + 2 }, (_, n) => n && n * Math.log2(n)),
);

/** RFC 1952, 2.3: no name, no time, no particular system: nothing but the bytes should matter. */
const HEADER = Buffer.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);
/** A stored block has a length of 16 bits (RFC 1951, 3.2.4). */
const MAX_STORED = 65535;

/** Returns the member's size. */
function storedMember(bytes: Buffer, output: Buffer): number {
  let end = HEADER.copy(output);
  for (let at = 0; at < bytes.length; at += MAX_STORED) {
    const block = bytes.subarray(at, at + MAX_STORED);
    end = output.writeUInt8(at + block.length === bytes.length ? 1 : 0, end);
    end = output.writeUInt16LE(block.length, end);
    end = output.writeUInt16LE(block.length ^ 0xffff, end);
    end += block.copy(output, end);
  }
  end = output.writeUInt32LE(zlib.crc32(bytes), end);
  return output.writeUInt32LE(bytes.length, end);
}
