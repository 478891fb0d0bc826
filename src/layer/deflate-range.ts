/**
 * One range of a tar, compressed on its own, such that the ranges of a tar joined in order are one stream: the unit of
 * parallel compression. In gzip, a range is a run of deflate blocks that may refer to the 32 KiB before it, ended by a
 * sync flush so that it fills whole bytes. In zstd it is a frame; a file may have many (RFC 8878, 3.1).
 */
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import zlib from 'node:zlib';
import { errnoOf, TsbuildError } from '../errors.ts';
import { readFully } from '../tar/scan.ts';

export interface RangeRequest {
  readonly tar: string;
  readonly offset: number;
  readonly size: number;
  readonly format: 'gzip' | 'zstd';
  /** Chosen by what the bytes are like, where nobody asks for one. */
  readonly level?: number | undefined;
  /** Of {@link rangeMemory}: gets the result at its start. The caller uses it again for another range. */
  readonly memory: SharedArrayBuffer;
}

export interface CompressedRange {
  /** Bytes at the start of the memory. */
  readonly size: number;
  /** Of the plain bytes; 0 for zstd, which does not need it. */
  readonly crc: number;
}

/** Room for a range of this size, for what lies before it, and for the result, even if it cannot be squeezed at all. */
export function rangeMemory(size: number): SharedArrayBuffer {
  return new SharedArrayBuffer(outputBytes(size) + WINDOW + size);
}

function outputBytes(size: number): number {
  return size + Math.ceil(size / 100) + 1024;
}

/** Deflate's window: what a block may refer back to (RFC 1951, 2). */
const WINDOW = 32 * 1024;
/** Each piece is squeezed or stored as a whole: as small as one can be and still tell what it is like. */
const PIECE = 32 * 1024;
/** Of what zlib gives back at once. */
const CHUNK = 128 * 1024;
/** The largest hash table and the longest blocks: faster by a seventh or more, and no larger by half a hundredth. */
const MEMORY_LEVEL = 9;
/** A stored block has a length of 16 bits. */
const MAX_STORED = 65535;

/** Depends on nothing but the bytes and the request, so the result is the same whoever computes it. */
export function compressRange(request: RangeRequest): CompressedRange {
  const before = request.format === 'gzip' ? Math.min(WINDOW, request.offset) : 0;
  const output = Buffer.from(request.memory, 0, outputBytes(request.size));
  const input = Buffer.from(request.memory, output.length, before + request.size);
  readRange(request.tar, request.offset - before, input);
  if (request.format === 'zstd')
    return { size: zstdFrame(input, request.level ?? ZSTD_DEFAULT).copy(output), crc: 0 };
  let size = 0;
  for (const { start, end, isRandom } of runsOf(input, before)) {
    const run = input.subarray(start, end);
    size = isRandom
      ? storeBlocks(run, output, size)
      : size +
        deflated(input, start, end, request.level ?? levelFor(input, start, end)).copy(
          output,
          size,
        );
  }
  return { size, crc: zlib.crc32(input.subarray(before)) };
}

interface Run {
  readonly start: number;
  end: number;
  readonly isRandom: boolean;
}

/** Neighbours of one kind are squeezed at once. */
function runsOf(input: Buffer, from: number): readonly Run[] {
  const runs: Run[] = [];
  for (let start = from; start < input.length; start += PIECE) {
    const end = Math.min(start + PIECE, input.length);
    const isRandom = looksRandom(input.subarray(start, end));
    const last = runs.at(-1);
    if (last?.isRandom === isRandom) last.end = end;
    else runs.push({ start, end, isRandom });
  }
  return runs;
}

function readRange(file: string, offset: number, into: Buffer): void {
  const fd = openSync(file, 'r');
  try {
    if (readFully(fd, into, offset) < into.length)
      throw new TsbuildError('STORE', `read ${file}: it is shorter than it was`);
  } finally {
    closeSync(fd);
  }
}

function deflated(input: Buffer, start: number, end: number, level: number): Buffer {
  const dictionary = input.subarray(Math.max(0, start - WINDOW), start);
  const options = {
    level,
    memLevel: MEMORY_LEVEL,
    finishFlush: zlib.constants.Z_SYNC_FLUSH,
    chunkSize: CHUNK,
  };
  return zlib.deflateRawSync(
    input.subarray(start, end),
    start > 0 ? { ...options, dictionary } : options,
  );
}

/**
 * What comes out as large as docker's, whose gzip is Go's. Of 30 MB each, Go's default leaves 42.5 % of Debian and 22.6 %
 * of JavaScript; level 4 leaves 42.4 and 22.9, and level 6 41.1 and 21.8 in twice the time.
 */
const LEVEL = 4;
/** Faster by a quarter. Where looking longer finds hardly more, as in tables of numbers, it does as well. */
const FAST_LEVEL = 1;
const FAST_LOSS = 1.025;
/** In shorter runs, trying costs more than it can gain. */
const TRIED_BYTES = 8 * PIECE;

function levelFor(input: Buffer, start: number, end: number): number {
  if (end - start < TRIED_BYTES) return LEVEL;
  const middle = (start + end) >>> 1;
  const tried = (level: number) => deflated(input, middle, middle + PIECE, level).length;
  return tried(FAST_LEVEL) <= tried(LEVEL) * FAST_LOSS ? FAST_LEVEL : LEVEL;
}

/** Returns where in the output the blocks end. */
function storeBlocks(run: Buffer, output: Buffer, start: number): number {
  let end = start;
  for (let at = 0; at < run.length; at += MAX_STORED) {
    const bytes = run.subarray(at, at + MAX_STORED);
    output[end] = 0;
    output.writeUInt16LE(bytes.length, end + 1);
    output.writeUInt16LE(bytes.length ^ 0xffff, end + 3);
    end += 5 + bytes.copy(output, end + 5);
  }
  return end;
}

/** Bits a byte: what is squeezed already, or encrypted, has nearly 8. */
const RANDOM_ENTROPY = 7.95;
/** Odd, so that data in rows of 2ⁿ bytes does not show only one column. */
const STRIDE = 5;

/** To squeeze such a piece would cost more time than anything else, and gain less than a hundredth. */
function looksRandom(piece: Buffer): boolean {
  const counts = new Uint32Array(256);
  let samples = 0;
  for (let at = 0; at < piece.length; at += STRIDE) {
    counts[piece[at]!]! += 1;
    samples += 1;
  }
  let bits = 0;
  for (const count of counts) if (count > 0) bits += count * Math.log2(samples / count);
  return bits / samples > RANDOM_ENTROPY;
}

/** From Node 22.15 on; the types here are those of Node 20. */
interface ZlibWithZstd {
  readonly zstdCompressSync?: (
    bytes: Buffer,
    options: { params: Record<number, number> },
  ) => Buffer;
}
/** zstd's own default. */
const ZSTD_DEFAULT = 3;
/** ZSTD_c_compressionLevel. */
const ZSTD_LEVEL = 100;

function zstdFrame(input: Buffer, level: number): Buffer {
  const compress = (zlib as ZlibWithZstd).zstdCompressSync;
  return compress?.(input, { params: { [ZSTD_LEVEL]: level } }) ?? zstdByProgram(input, level);
}

/** What Node cannot do, the program can, where it is installed. 0 is the default level, as in the library. */
function zstdByProgram(input: Buffer, level: number): Buffer {
  const args = ['-qc', '--no-check', `--stream-size=${input.length}`, '--ultra', `-${level || 3}`];
  const maxBuffer = 2 * input.length + 1024;
  const { status, stdout, stderr, error } = spawnSync('zstd', args, { input, maxBuffer });
  if (status === 0) return stdout;
  const why = errnoOf(error) === 'ENOENT' ? 'neither Node.js nor a program of that name can' : '';
  throw new TsbuildError(
    'UNSUPPORTED_HOST',
    `compress with zstd: ${why || error?.message || String(stderr).trim()}`,
    { cause: error, hint: 'use Node.js 22.15 or newer, install zstd, or use gzip' },
  );
}
