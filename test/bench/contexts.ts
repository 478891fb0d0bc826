/**
 * Build contexts, made of files that are the same in every run. Each tool gets its own copy under its own name: BuildKit
 * keeps what it was sent by the base name of the directory, and would compare one tool's files with another's.
 */
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createRandom, type Random } from './random.ts';

export interface Context {
  /** Part of the directory's name; the seed of what is in it. */
  readonly name: string;
  readonly dockerfile: string;
  readonly files?: (directory: string, random: Random) => void;
}

export function writeContext(directory: string, { name, dockerfile, files }: Context): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'Dockerfile'), dockerfile);
  files?.(directory, createRandom(name));
}

/** A small project: a manifest, a configuration, and `count` source files of 1–8 kB in src/. */
export function project(count: number): NonNullable<Context['files']> {
  return (directory, random) => {
    const words = wordPool(random, 1 << 20);
    writeFileSync(join(directory, 'package.json'), '{ "name": "app", "version": "1.0.0" }\n');
    mkdirSync(join(directory, 'config'));
    writeFileSync(join(directory, 'config', 'app.conf'), 'listen = 8080\n');
    mkdirSync(join(directory, 'src'));
    for (let n = 0; n < count; n += 1) {
      writeFileSync(join(directory, 'src', sourceName(n)), words(1024 + random.below(7168)));
    }
  };
}

export function sourceName(n: number): string {
  return `file-${String(n).padStart(3, '0')}.js`;
}

/** Like a node_modules: `count` files of 0.2–4 kB in tree/, a hundred to a directory, three directories deep. */
export function smallFiles(count: number): NonNullable<Context['files']> {
  return (directory, random) => {
    const words = wordPool(random, 1 << 20);
    for (let n = 0; n < count; n += 1) {
      const folder = Math.floor(n / 100);
      const parent = join(directory, 'tree', `p${folder % 40}`, `lib${folder}`);
      if (n % 100 === 0) mkdirSync(parent, { recursive: true });
      writeFileSync(join(parent, `m${n}.js`), words(200 + random.below(3800)));
    }
  };
}

const MEGABYTE = 1_000_000;

/**
 * `megabytes` in data/, in files of 64 MB at most. Half of the bytes cannot be compressed and the rest is text, in turns
 * of 16 KiB to 4 MiB: as archives and pictures lie among sources.
 */
export function largeFiles(megabytes: number): NonNullable<Context['files']> {
  return (directory, random) => {
    const words = wordPool(random, 32 << 20);
    const block = Buffer.alloc(4 << 20);
    mkdirSync(join(directory, 'data'));
    writeFileSync(join(directory, 'data', 'round'), '0\n');
    for (let done = 0; done < megabytes; done += 64) {
      const file = openSync(join(directory, 'data', `part-${done / 64}`), 'w');
      let left = Math.min(64, megabytes - done) * MEGABYTE;
      while (left > 0) {
        const length = 16_384 << random.below(9);
        random.fill(block.subarray(0, length));
        left -= writeSync(file, block, 0, Math.min(left, length));
        if (left > 0) left -= writeSync(file, words(length), 0, Math.min(left, length));
      }
      closeSync(file);
    }
  };
}

/** What changes in every round where something has to. */
export function touchRound(file: string, round: number): void {
  writeFileSync(file, `round ${round} ${process.hrtime.bigint()}\n`);
}

/** Text of made-up words: pieces of a pool that is larger than any compressor's window in common use. */
function wordPool(random: Random, size: number): (length: number) => Buffer {
  const vocabulary = Array.from({ length: 4096 }, () => {
    const length = 2 + random.below(9);
    return Array.from({ length }, () => String.fromCharCode(97 + random.below(26))).join('');
  });
  const pool = Buffer.alloc(size);
  for (let at = 0; at < size; ) {
    at += pool.write(`${vocabulary[random.below(vocabulary.length)]} `, at, 'latin1');
  }
  const piece = 1024;
  return (length) => {
    const text = Buffer.allocUnsafe(length);
    for (let at = 0; at < length; at += piece) {
      const from = random.below(size - piece);
      pool.copy(text, at, from, from + Math.min(piece, length - at));
    }
    return text;
  };
}
