/** Drives the parser: over a file with big positioned reads, or over chunks as they come. Bytes of files are passed over. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { readFully } from '../host/read-fully.ts';
import { archiveError, type TarEntry } from './entry.ts';
import { parseTar } from './parse.ts';

const WINDOW = 256 * 1024;
const NOTHING = Buffer.alloc(0);

/**
 * The entries of a tar, in order. The file must not change meanwhile; an `fd` stays open.
 * @throws TsbuildError `ARCHIVE` naming the entry.
 */
export function* scanTar(file: string | number): Generator<TarEntry, void, void> {
  const fd = typeof file === 'number' ? file : openSync(file, 'r');
  try {
    yield* scanDescriptor(fd);
  } finally {
    if (typeof file !== 'number') closeSync(fd);
  }
}

function* scanDescriptor(fd: number): Generator<TarEntry, void, void> {
  const total = fstatSync(fd).size;
  const window = slidingWindow(fd);
  const parser = parseTar();
  let at = 0;
  for (let step = parser.next(); !step.done; ) {
    const demand = step.value;
    if (demand.kind === 'entry') {
      yield demand.entry;
      step = parser.next(NOTHING);
    } else if (demand.kind === 'read') {
      const bytes = window(at, demand.size);
      at += bytes.length;
      step = parser.next(bytes);
    } else {
      if (at + demand.needed > total) throw truncated(demand.name);
      at += demand.size;
      step = parser.next(NOTHING);
    }
  }
}

/** Reads through one buffer; what it returns is lent until the next call. */
function slidingWindow(fd: number): (at: number, size: number) => Buffer {
  let buffer = Buffer.allocUnsafeSlow(WINDOW);
  let start = 0;
  let length = 0;
  return (at, size) => {
    if (at < start || at + size > start + length) {
      if (size > buffer.length) buffer = Buffer.allocUnsafeSlow(size);
      start = at;
      length = readFully(fd, buffer, at);
    }
    return buffer.subarray(at - start, Math.min(at - start + size, length));
  };
}

/** The parser fed by chunks. `end` must be called, or a truncated archive goes unnoticed. */
export interface TarFeed {
  write(chunk: Buffer): void;
  end(): void;
}

/** @throws TsbuildError `ARCHIVE` from `write` and `end`. */
export function feedTar(onEntry: (entry: TarEntry) => void): TarFeed {
  const parser = parseTar();
  let step = parser.next();
  /** Bytes collected for a read, or the number passed over. */
  let held: Buffer[] = [];
  let count = 0;
  const answer = (bytes: Buffer) => {
    held = [];
    count = 0;
    step = parser.next(bytes);
    while (!step.done && step.value.kind === 'entry') {
      onEntry(step.value.entry);
      step = parser.next(NOTHING);
    }
  };
  const write = (chunk: Buffer) => {
    // What follows the end mark is padding.
    for (let at = 0; at < chunk.length && !step.done; ) {
      const demand = step.value;
      if (demand.kind === 'entry') throw new TypeError('an entry is no demand');
      const taken = Math.min(demand.size - count, chunk.length - at);
      const start = at;
      at += taken;
      count += taken;
      if (demand.kind === 'skip') {
        if (count === demand.size) answer(NOTHING);
        continue;
      }
      const piece = chunk.subarray(start, at);
      if (held.length > 0 || count < demand.size) held.push(Buffer.from(piece));
      if (count === demand.size) answer(held.length > 0 ? Buffer.concat(held) : piece);
    }
  };
  const end = () => {
    if (step.done) return;
    const demand = step.value;
    if (demand.kind === 'skip' && count < demand.needed) throw truncated(demand.name);
    // A short answer makes the parser end or object; after one it demands no more.
    answer(demand.kind === 'read' ? Buffer.concat(held) : NOTHING);
    if (!step.done) answer(NOTHING);
  };
  return { write, end };
}

function truncated(name: string) {
  return archiveError('the archive ends in the middle of its content', name);
}
