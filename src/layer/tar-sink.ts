/**
 * Where a layer's tar goes: one file, written in large pieces and hashed as it grows. Bytes of files are read straight
 * into the buffer that is written, so each byte is copied by the kernel alone, and a small file costs no call of its own
 * on this side.
 */
import { createHash, type Hash, hash } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { diskError } from '../host/disk-error.ts';
import { readSparse, type SparseFile, sparseFile } from '../host/sparse-file.ts';
import { BLOCK, padding } from '../tar/entry.ts';

/** Larger is no faster, and each worker holds one. */
const BUFFER_BYTES = 1024 * 1024;

/** A range of an open file. */
export interface CopySource {
  readonly fd: number;
  readonly offset: number;
  readonly size: number;
}

export interface TarSink {
  /** Bytes so far. */
  position(): number;
  put(bytes: Uint8Array): void;
  /**
   * Appends a range and gives its sha256 in hex, or '' if `isHashed` is false; `undefined` if the file is shorter. Then the
   * sink is of no more use.
   */
  copy(source: CopySource, isHashed: boolean): string | undefined;
  /** Zeros up to a whole block. */
  pad(): void;
  /** Writes what is left; the hex sha256 of everything, or '' of what is `unhashed`. */
  finish(): string;
  /** Closes the file; idempotent. */
  close(): void;
}

export interface TarSinkOptions {
  readonly unhashed?: boolean | undefined;
  /** Called with the bytes that can be read from the file by now. */
  readonly onWritten?: ((size: number) => void) | undefined;
}

/** @throws TsbuildError `DISK_FULL`, `STORE` from each call that may write. */
export function openTarSink(file: string, options: TarSinkOptions = {}): TarSink {
  return new FileSink(file, options);
}

class FileSink implements TarSink {
  readonly #file: string;
  readonly #fd: number;
  readonly #out: SparseFile;
  readonly #hash: Hash | undefined;
  readonly #onWritten: ((size: number) => void) | undefined;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #used = 0;
  #flushed = 0;
  #isOpen = true;

  constructor(file: string, { unhashed, onWritten }: TarSinkOptions) {
    this.#file = file;
    this.#hash = unhashed ? undefined : createHash('sha256');
    this.#onWritten = onWritten;
    this.#fd = attempt(file, () => openSync(file, 'wx', 0o644));
    this.#out = sparseFile(this.#fd);
  }

  position(): number {
    return this.#flushed + this.#used;
  }

  put(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + BUFFER_BYTES - this.#used);
      this.#buffer.set(piece, this.#used);
      at += piece.length;
      this.#advance(piece.length);
    }
  }

  copy(source: CopySource, isHashed: boolean): string | undefined {
    if (source.size > BUFFER_BYTES) return this.#copyLarge(source, isHashed);
    if (this.#used + source.size > BUFFER_BYTES) this.#flush();
    if (!this.#fill(source, 0, source.size)) return undefined;
    const bytes = this.#buffer.subarray(this.#used, this.#used + source.size);
    const digest = isHashed ? hash('sha256', bytes, 'hex') : '';
    this.#advance(source.size);
    return digest;
  }

  pad(): void {
    const zeros = padding(this.position());
    if (zeros > 0) this.put(ZEROS.subarray(0, zeros));
  }

  finish(): string {
    this.#flush();
    attempt(this.#file, () => this.#out.finish());
    this.close();
    this.#onWritten?.(this.#flushed);
    return this.#hash?.digest('hex') ?? '';
  }

  close(): void {
    if (this.#isOpen) closeSync(this.#fd);
    this.#isOpen = false;
  }

  #copyLarge(source: CopySource, isHashed: boolean): string | undefined {
    const contentHash = isHashed ? createHash('sha256') : undefined;
    for (let done = 0; done < source.size; ) {
      const size = Math.min(source.size - done, BUFFER_BYTES - this.#used);
      if (!this.#fill(source, done, size)) return undefined;
      contentHash?.update(this.#buffer.subarray(this.#used, this.#used + size));
      this.#advance(size);
      done += size;
    }
    return contentHash?.digest('hex') ?? '';
  }

  /** Reads `size` bytes behind what is used; false if there are not as many. */
  #fill({ fd, offset }: CopySource, done: number, size: number): boolean {
    const room = this.#buffer.subarray(this.#used, this.#used + size);
    return readSparse(fd, room, offset + done) === size;
  }

  #advance(size: number): void {
    this.#used += size;
    if (this.#used === BUFFER_BYTES) this.#flush();
  }

  #flush(): void {
    const bytes = this.#buffer.subarray(0, this.#used);
    this.#hash?.update(bytes);
    const isThere = attempt(this.#file, () => this.#out.write(bytes));
    this.#flushed += this.#used;
    this.#used = 0;
    if (isThere) this.#onWritten?.(this.#flushed);
  }
}

const ZEROS = Buffer.alloc(BLOCK);

function attempt<T>(file: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    throw diskError(error, `write layer ${file}`);
  }
}
