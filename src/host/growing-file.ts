/**
 * A file that is read while it is still being written, by somebody else in this process. Readers get what is there and wait
 * for more; they may start at any time, and again from the beginning, also when the file has got another name. A reader that
 * keeps up gets the bytes from the writer's memory, so that what has just been written need not be read.
 */
import { closeSync, openSync, read } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { TsbuildError } from '../errors.ts';
import type { OnWritten } from './direct-file.ts';

export interface GrowingFile extends Disposable {
  /** The file exists since the first call at the latest. One call at a time. */
  readonly grown: OnWritten;
  /** That was all; or, with an error, there will not be more. */
  end(error?: unknown): void;
  /** Ends when the file does; fails as `end` says. A chunk is lent until the next one is asked for. */
  read(): AsyncGenerator<Uint8Array>;
}

const READ_BYTES = 256 * 1024;
/** Smaller ones, a socket may still hold when it asks for more. */
const MIN_OFFER_BYTES = 256 * 1024;
/** Who is farther behind is slower than the writer, and should not hold it up. */
const NEAR_BYTES = 4 * 1024 * 1024;
const PATIENCE_MS = 20;

/** The bytes written last. */
interface Offer {
  readonly start: number;
  readonly bytes: Uint8Array;
  state: 'open' | 'taken' | 'returned';
  readonly settle: () => void;
  readonly settled: Promise<void>;
}

function makeOffer(start: number, bytes: Uint8Array): Offer {
  let settle = () => {};
  const settled = new Promise<void>((resolve) => {
    settle = resolve;
  });
  return { start, bytes, state: 'open', settle, settled };
}

const readAsync = promisify(read);

export function growingFile(path: string): GrowingFile {
  let fd = -1;
  let size = 0;
  let state: 'growing' | 'ended' | { readonly error: unknown } = 'growing';
  let waiting: (() => void)[] = [];
  let offer: Offer | undefined;
  /** Where they are. */
  const readers = new Set<{ at: number }>();
  const tell = () => {
    const told = waiting;
    waiting = [];
    for (const wake of told) wake();
  };
  const readSome = async (at: number, end: number): Promise<Buffer> => {
    const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, end - at));
    const { bytesRead } = await readAsync(fd, buffer, 0, buffer.length, at);
    if (bytesRead === 0) throw new TsbuildError('STORE', `read ${path}: it has been cut short`);
    return buffer.subarray(0, bytesRead);
  };
  return {
    async grown(now, bytes) {
      if (fd < 0) fd = openSync(path, 'r');
      const start = size;
      size = now;
      const isNear = [...readers].some(({ at }) => at >= start - NEAR_BYTES);
      if (!isNear || bytes.length < MIN_OFFER_BYTES) {
        tell();
        return 'returned';
      }
      const mine = makeOffer(start, bytes);
      offer = mine;
      tell();
      await Promise.race([mine.settled, pause(PATIENCE_MS, undefined, { ref: false })]);
      offer = undefined;
      return mine.state === 'taken' ? 'kept' : 'returned';
    },
    end(error) {
      state = error === undefined ? 'ended' : { error };
      tell();
    },
    async *read() {
      const reader = { at: 0 };
      readers.add(reader);
      try {
        for (;;) {
          const { at } = reader;
          const offered = offer?.state === 'open' ? offer : undefined;
          if (typeof state === 'object') throw state.error;
          if (at === offered?.start) {
            offered.state = 'taken';
            reader.at += offered.bytes.length;
            try {
              yield offered.bytes;
            } finally {
              offered.state = 'returned';
              offered.settle();
            }
          } else if (at < size) {
            const end = offered !== undefined && at < offered.start ? offered.start : size;
            const bytes = await readSome(at, end);
            reader.at += bytes.length;
            yield bytes;
          } else if (state === 'ended') return;
          else await new Promise<void>((wake) => waiting.push(wake));
        }
      } finally {
        readers.delete(reader);
      }
    },
    [Symbol.dispose]() {
      if (fd >= 0) closeSync(fd);
      fd = -1;
    },
  };
}
