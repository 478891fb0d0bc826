/**
 * Writing a large new file that nobody reads soon: past the page cache (open(2), "O_DIRECT"), where the file's system allows
 * that. What it saves is not only memory: to fill the cache with a file takes more time than to write it to a fast disk.
 */
import { closeSync, constants, openSync, write } from 'node:fs';
import { promisify } from 'node:util';
import { errnoOf } from '../errors.ts';
import { loadKoffi } from './koffi.ts';

export interface DirectFile extends AsyncDisposable {
  /** Takes the bytes over: their memory may be used again when this settles. One call at a time. */
  write(bytes: Uint8Array): Promise<void>;
  /** All bytes are in the file when this settles. */
  finish(): Promise<void>;
}

/** Told how many bytes the file has now, and the last of them. Tells when, and if, their memory may be used again. */
export type OnWritten = (size: number, bytes: Uint8Array) => Promise<'returned' | 'kept'>;

/** Of one write, and a multiple of every disk's block. */
const PIECE = 1024 * 1024;
/** What memory and places in the file must be multiples of. */
const ALIGNMENT = 4096;

/** The file must not exist. @throws what open and write do */
export function createDirectFile(
  path: string,
  onWritten: OnWritten = async () => 'returned',
): DirectFile {
  const cached = openSync(path, 'wx', 0o644);
  let direct = openDirect(path);
  let size = 0;
  let piece = alignedBuffer();
  let spare: Buffer | undefined;
  let filled = 0;
  let flushed = Promise.resolve();

  const put = async (full: Buffer, length: number): Promise<void> => {
    const bytes = full.subarray(0, length);
    try {
      await writeAll(direct ?? cached, bytes, size);
    } catch (error) {
      if (direct === undefined || errnoOf(error) !== 'EINVAL') throw error;
      leaveDirect();
      await writeAll(cached, bytes, size);
    }
    size += length;
    if ((await onWritten(size, bytes)) === 'returned') spare = full;
  };
  const leaveDirect = () => {
    if (direct !== undefined) closeSync(direct);
    direct = undefined;
  };
  /** The next piece is filled while this one is on its way. */
  const flush = async (): Promise<void> => {
    await flushed;
    flushed = put(piece, filled);
    // Whoever flushes next, or finishes, hears of it.
    flushed.catch(() => {});
    piece = spare ?? alignedBuffer();
    spare = undefined;
    filled = 0;
  };
  return {
    async write(bytes) {
      for (let at = 0; at < bytes.length; ) {
        const part = bytes.subarray(at, at + PIECE - filled);
        piece.set(part, filled);
        filled += part.length;
        at += part.length;
        if (filled === PIECE) await flush();
      }
    },
    async finish() {
      await flushed;
      // The end of a file is seldom a whole block.
      leaveDirect();
      await flush();
      await flushed;
    },
    async [Symbol.asyncDispose]() {
      // A thread may still write; after an error, everybody has been told.
      await flushed.catch(() => {});
      leaveDirect();
      closeSync(cached);
    },
  };
}

function openDirect(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_DIRECT);
  } catch {
    return undefined;
  }
}

/** Where nobody tells addresses it is likely not aligned: the first write is refused then, and the cache used. */
function alignedBuffer(): Buffer {
  const buffer = Buffer.allocUnsafeSlow(PIECE + ALIGNMENT);
  const start = ALIGNMENT - (addressOf(buffer) % ALIGNMENT);
  return buffer.subarray(start, start + PIECE);
}

function addressOf(buffer: Buffer): number {
  try {
    return Number(loadKoffi().address(buffer) % BigInt(ALIGNMENT));
  } catch {
    return 0;
  }
}

const writeAsync = promisify(write);

/** From a thread of libuv. */
async function writeAll(fd: number, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await writeAsync(fd, bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}
