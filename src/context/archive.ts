/** Opens archives without unpacking them: whatever compressed them, what is needed is a plain tar on this host to point into. */
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import { isTsbuildError } from '../errors.ts';
import { diskError } from '../host/disk-error.ts';
import { fsPath } from '../host/path-bytes.ts';
import { readFully } from '../host/read-fully.ts';
import type { TarEntry } from '../tar/entry.ts';
import { expandSparse } from '../tar/expand-sparse.ts';
import {
  detectCompression,
  inflateError,
  inflateStream,
  type TarCompression,
} from '../tar/inflate.ts';
import { scanTar } from '../tar/scan.ts';
import type { Content } from '../tree/file-tree.ts';

export interface Archive {
  entries(): Iterable<TarEntry>;
  /** Where the bytes of a file entry are. */
  contentOf(entry: TarEntry): Content;
}

const COPY_BYTES = 1024 * 1024;
/** Enough to tell how something is compressed. */
const MAGIC_BYTES = 16;
/** Enough for a few headers of a tar. */
const BLOCK_BYTES = 64 * 1024;

/**
 * The tar that `content` is, plain or compressed with gzip, bzip2, xz or zstd, told by its bytes and not by its name;
 * `undefined` if it is none, or one without entries. `directory` is private and gets what has to be written; it must stay
 * as long as the archive is in use.
 * @throws TsbuildError `ARCHIVE` for damaged compressed data, `UNSUPPORTED_HOST` if a program to inflate it is missing,
 * `DISK_FULL`, `CONTEXT`
 */
export async function openArchive(
  content: Content,
  directory: string,
  signal?: AbortSignal,
): Promise<Archive | undefined> {
  const size = 'bytes' in content ? content.bytes.length : content.size;
  if (size === 0) return undefined;
  const compression = detectCompression(readHead(content, MAGIC_BYTES));
  if (compression === 'none' && isWholeFile(content)) return asArchive(content.file, directory);
  const own = fs.mkdtempSync(path.join(directory, 'archive-'));
  const tar = path.join(own, 'tar');
  try {
    const stages = [streamOf(content), inflateStream(compression), fs.createWriteStream(tar)];
    await pipeline(stages, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    const plain = inflateError(error, 'inflate archive');
    const isDamaged = isTsbuildError(plain) && plain.code === 'ARCHIVE';
    // What merely begins like compressed data, or holds something else than a tar, is copied as it is.
    if (isDamaged && !beginsWithEntry(content, compression, tar)) return undefined;
    throw diskError(plain, 'inflate archive', 'CONTEXT');
  }
  return asArchive(tar, own);
}

/** Whether damaged data held a tar at first. zlib may have kept what it had inflated so far to itself. */
function beginsWithEntry(content: Content, compression: TarCompression, tar: string): boolean {
  if (compression === 'gzip') {
    try {
      const finishFlush = zlib.constants.Z_SYNC_FLUSH;
      const head = zlib.gunzipSync(readHead(content, BLOCK_BYTES), { finishFlush });
      fs.writeFileSync(tar, head);
    } catch {
      return false;
    }
  }
  return asArchive(tar, path.dirname(tar)) !== undefined;
}

function readHead(content: Content, length: number): Buffer {
  if ('bytes' in content) return Buffer.from(content.bytes.subarray(0, length));
  const head = Buffer.alloc(length);
  const fd = openContext(content.file);
  try {
    return head.subarray(0, Math.min(readFully(fd, head, content.offset), content.size));
  } finally {
    fs.closeSync(fd);
  }
}

function openContext(file: string): number {
  try {
    return fs.openSync(fsPath(file), 'r');
  } catch (error) {
    throw diskError(error, `read ${file}`, 'CONTEXT');
  }
}

function isWholeFile(content: Content): content is Content & { readonly file: string } {
  if ('bytes' in content || content.offset !== 0) return false;
  return fs.statSync(fsPath(content.file)).size === content.size;
}

function streamOf(content: Content): Readable {
  if ('bytes' in content) return Readable.from([content.bytes]);
  const { file, offset: start, size } = content;
  return fs.createReadStream(fsPath(file), {
    start,
    end: start + size - 1,
    highWaterMark: COPY_BYTES,
  });
}

/** `undefined` unless the file begins with an entry, as the engine decides it. */
function asArchive(file: string, directory: string): Archive | undefined {
  try {
    for (const _first of scanTar(file)) {
      return {
        entries: () => scanTar(file),
        contentOf: (entry) => contentOf(entry, file, directory),
      };
    }
  } catch (error) {
    if (!isTsbuildError(error) || error.code !== 'ARCHIVE') throw error;
  }
  return undefined;
}

function contentOf(entry: TarEntry, file: string, directory: string): Content {
  if (entry.sparse === undefined) return { file, offset: entry.offset, size: entry.size };
  const expanded = path.join(fs.mkdtempSync(path.join(directory, 'sparse-')), 'file');
  expandSparse(file, entry, expanded);
  return { file: expanded, offset: 0, size: entry.size };
}
