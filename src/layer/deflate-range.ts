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
  readonly level: number;
  /** Of {@link outputBytes}: where the result is put. The caller uses it again for another range. */
  readonly output: SharedArrayBuffer;
}

export interface CompressedRange {
  /** Bytes at the start of `output`. */
  readonly size: number;
  /** Of the plain bytes; 0 for zstd, which does not need it. */
  readonly crc: number;
}

/** Room for a range of this size that cannot be squeezed at all. */
export function outputBytes(size: number): number {
  return size + Math.ceil(size / 100) + 1024;
}

/** Deflate's window: what a block may refer back to (RFC 1951, 2). */
const WINDOW = 32 * 1024;
/** Each piece is squeezed or stored as a whole. */
const PIECE = 128 * 1024;
/** A stored block has a length of 16 bits. */
const MAX_STORED = 65535;

/** Depends on nothing but the bytes and the request, so the result is the same whoever computes it. */
export function compressRange(request: RangeRequest): CompressedRange {
  const before = request.format === 'gzip' ? Math.min(WINDOW, request.offset) : 0;
  const input = readRange(request.tar, request.offset - before, before + request.size);
  const output = Buffer.from(request.output);
  if (request.format === 'zstd')
    return { size: zstdFrame(input, request.level).copy(output), crc: 0 };
  let size = 0;
  for (let at = before; at < input.length; at += PIECE) {
    const piece = input.subarray(at, at + PIECE);
    if (looksRandom(piece)) size = storeBlocks(piece, output, size);
    else
      size += deflated(piece, input.subarray(Math.max(0, at - WINDOW), at), request.level).copy(
        output,
        size,
      );
  }
  return { size, crc: zlib.crc32(input.subarray(before)) };
}

function readRange(file: string, offset: number, size: number): Buffer {
  const buffer = Buffer.allocUnsafeSlow(size);
  const fd = openSync(file, 'r');
  try {
    if (readFully(fd, buffer, offset) < size)
      throw new TsbuildError('STORE', `read ${file}: it is shorter than it was`);
  } finally {
    closeSync(fd);
  }
  return buffer;
}

function deflated(piece: Buffer, dictionary: Buffer, level: number): Buffer {
  const options = {
    level,
    finishFlush: zlib.constants.Z_SYNC_FLUSH,
    chunkSize: PIECE,
  };
  return zlib.deflateRawSync(piece, dictionary.length > 0 ? { ...options, dictionary } : options);
}

/** Returns where in the output the blocks end. */
function storeBlocks(piece: Buffer, output: Buffer, start: number): number {
  let end = start;
  for (let at = 0; at < piece.length; at += MAX_STORED) {
    const bytes = piece.subarray(at, at + MAX_STORED);
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
const STRIDE = 7;

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
