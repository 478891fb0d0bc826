/** Where one stream of bytes goes: a file, which is there whole or not at all, or a stream of the caller's, such as stdout. */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { errnoOf, TsbuildError } from '../errors.ts';
import { diskError } from './disk-error.ts';
import { writeFully } from './write-fully.ts';

export type Destination =
  | { readonly file: string }
  /** Is not ended: it is the caller's. */
  | { readonly stream: Writable };

export interface OutputOptions {
  readonly signal?: AbortSignal;
  /** Bytes written so far. */
  readonly onProgress?: (current: number) => void;
}

export interface Output extends AsyncDisposable {
  /** The bytes are the caller's again when the promise is settled. */
  put(bytes: Uint8Array): Promise<void>;
  /** A range of an open file. @throws TsbuildError `STORE` if the file ends before it. */
  copy(fd: number, offset: number, size: number): Promise<void>;
  /** Gives the file its name. Without it, disposing leaves nothing behind. */
  commit(): void;
}

interface Sink {
  write(bytes: Uint8Array): Promise<void> | void;
  commit(): void;
  close(): void;
}

const CHUNK = 256 * 1024;
/** Writing to a file is synchronous; a signal is noticed at least as often as this. */
const BYTES_BETWEEN_TURNS = 16 * 1024 * 1024;

/** @throws TsbuildError `OUTPUT`, `DISK_FULL`; all methods do, and reject with `signal.reason` once it is aborted */
export function openOutput(destination: Destination, options: OutputOptions = {}): Output {
  const { signal, onProgress } = options;
  const sink =
    'file' in destination ? fileSink(destination.file) : streamSink(destination.stream, signal);
  let written = 0;
  let lastTurn = 0;
  const put = async (bytes: Uint8Array) => {
    signal?.throwIfAborted();
    await sink.write(bytes);
    written += bytes.length;
    onProgress?.(written);
    if (written - lastTurn < BYTES_BETWEEN_TURNS) return;
    lastTurn = written;
    await setImmediate();
  };
  const copy = async (fd: number, offset: number, size: number) => {
    const buffer = Buffer.allocUnsafe(Math.min(size, CHUNK));
    for (let at = 0; at < size; ) {
      const length = fs.readSync(fd, buffer, 0, Math.min(size - at, CHUNK), offset + at);
      if (length === 0)
        throw new TsbuildError('STORE', `a file ends ${size - at} bytes before its time`);
      await put(buffer.subarray(0, length));
      at += length;
    }
  };
  return { put, copy, commit: sink.commit, [Symbol.asyncDispose]: async () => sink.close() };
}

function fileSink(file: string): Sink {
  const what = `write ${file}`;
  const target = realTarget(file, what);
  const temp = target.inPlace ? undefined : siblingOf(target.path);
  const fd = guarded(what, () =>
    temp === undefined ? fs.openSync(target.path, 'w') : fs.openSync(temp, 'wx', 0o644),
  );
  let isCommitted = false;
  let isClosed = false;
  return {
    write: (bytes) => guarded(what, () => writeFully(fd, bytes)),
    commit() {
      if (temp !== undefined) guarded(what, () => fs.renameSync(temp, target.path));
      isCommitted = true;
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      fs.closeSync(fd);
      if (!isCommitted && temp !== undefined) fs.rmSync(temp, { force: true });
    },
  };
}

/** A symlink stays one, and its target is replaced; `/dev/stdout`, a FIFO and the like are written, never replaced. */
function realTarget(file: string, what: string): { path: string; inPlace: boolean } {
  const stat = guarded(what, () => fs.statSync(file, { throwIfNoEntry: false }));
  if (stat === undefined) return { path: path.resolve(file), inPlace: false };
  if (stat.isDirectory())
    throw new TsbuildError('OUTPUT', `${what}: it is a directory`, { hint: 'name a file' });
  if (!stat.isFile()) return { path: file, inPlace: true };
  return { path: guarded(what, () => fs.realpathSync(file)), inPlace: false };
}

function siblingOf(file: string): string {
  return path.join(
    path.dirname(file),
    `.${path.basename(file).slice(0, 200)}.${randomBytes(6).toString('hex')}`,
  );
}

function guarded<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw diskError(error, what, 'OUTPUT');
  }
}

/** One write at a time, so that memory stays bounded however slow the reader is. */
function streamSink(stream: Writable, signal: AbortSignal | undefined): Sink {
  // Without a listener, a reader that goes away would be an uncaught error; the write itself tells us.
  const ignore = () => {};
  stream.on('error', ignore);
  const write = (bytes: Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      const settle = (done: () => void) => {
        signal?.removeEventListener('abort', abort);
        stream.off('close', closed);
        done();
      };
      const abort = () => settle(() => reject(signal?.reason));
      // A stream that is destroyed need not call back for a write that was under way.
      const closed = () => settle(() => reject(streamError(stream.errored)));
      signal?.addEventListener('abort', abort, { once: true });
      stream.once('close', closed);
      // A copy, for a stream that passes it on says so before the next one has used it.
      stream.write(Buffer.from(bytes), (error) =>
        settle(() => (error ? reject(streamError(error)) : resolve())),
      );
    });
  return { write, commit: () => {}, close: () => void stream.off('error', ignore) };
}

function streamError(cause: Error | null): unknown {
  const why =
    errnoOf(cause) === 'EPIPE' || cause === null ? 'nobody reads it any more' : cause.message;
  return new TsbuildError('OUTPUT', `write to the output stream: ${why}`, { cause });
}
