/**
 * One range of a tar, compressed on its own, such that the ranges of a tar joined in order are one file: the unit of
 * parallel compression. Both formats are made for that: a gzip file is a series of members (RFC 1952, 2.2), and one of zstd
 * a series of frames (RFC 8878, 3.1).
 */
import { closeSync, openSync } from 'node:fs';
import { TsbuildError } from '../errors.ts';
import { readSparse } from '../host/sparse-file.ts';
import { gzipMembers, gzipRoom } from './gzip-members.ts';
import { zstdFrame, zstdRoom } from './zstd-frame.ts';

export interface RangeRequest {
  readonly tar: string;
  readonly offset: number;
  readonly size: number;
  readonly format: 'gzip' | 'zstd';
  /** What is fast, where nobody asks for one. */
  readonly level?: number | undefined;
  /** Of {@link rangeMemory}. Comes back with the result, to be used again for another range. */
  readonly memory: ArrayBuffer;
}

export interface CompressedRange {
  /** The result is at its start. */
  readonly memory: ArrayBuffer;
  readonly size: number;
}

/** Room for a range of this size, and for the result, even if it cannot be squeezed at all. */
export function rangeMemory(size: number): ArrayBuffer {
  return new ArrayBuffer(outputBytes(size) + size);
}

function outputBytes(size: number): number {
  return Math.max(gzipRoom(size), zstdRoom(size));
}

/** Depends on nothing but the bytes, the request, and the host's libraries. */
export function compressRange(request: RangeRequest): CompressedRange {
  const { memory, format, level } = request;
  const output = Buffer.from(memory, 0, outputBytes(request.size));
  const input = Buffer.from(memory, output.length, request.size);
  readRange(request.tar, request.offset, input);
  const compress = format === 'gzip' ? gzipMembers : zstdFrame;
  return { memory, size: compress(input, output, level) };
}

function readRange(file: string, offset: number, into: Buffer): void {
  const fd = openSync(file, 'r');
  try {
    if (readSparse(fd, into, offset) < into.length)
      throw new TsbuildError('STORE', `read ${file}: it is shorter than it was`);
  } finally {
    closeSync(fd);
  }
}
