/** An archive of images, opened for reading its members by name; errors name the member. */
import fs from 'node:fs';
import { Readable } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import { readFully } from '../host/read-fully.ts';
import { readArchive } from '../tar/archive.ts';
import { archiveError } from '../tar/entry.ts';
import { entryPath } from '../tar/entry-path.ts';
import { detectCompression, type TarCompression } from '../tar/inflate.ts';
import type { Content } from '../tree/file-tree.ts';

export interface Member {
  readonly name: string;
  readonly size: number;
  /** Where its bytes are. */
  readonly range: Extract<Content, { file: string }>;
  /** All bytes of a small one. @throws TsbuildError `ARCHIVE` if it is larger than 4 MiB */
  read(): Buffer;
  open(): Readable;
  /** What its first bytes say. */
  compression(): TarCompression;
}

export interface ArchiveReader {
  has(name: string): boolean;
  /** @throws TsbuildError `ARCHIVE` if it is missing */
  member(name: string): Member;
}

const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;
const READ_BYTES = 256 * 1024;

/**
 * Opens an archive, plain or compressed, from a file or a stream. What cannot be read in place is first written to
 * `directory`, which is the caller's to remove. @throws TsbuildError `ARCHIVE`, `DISK_FULL`, `NOT_FOUND`
 */
export async function openArchive(
  source: string | Readable,
  directory: string,
  signal?: AbortSignal,
): Promise<ArchiveReader> {
  const readable =
    typeof source === 'string' && !isRegular(source) ? fs.createReadStream(source) : source;
  const members = await readArchive(readable, { directory, ...(signal ? { signal } : {}) });
  return {
    has: (name) => members.has(name),
    member(name) {
      const content = members.get(entryPath(name));
      if (content === undefined) throw archiveError('it is missing, or not a file', name);
      return memberOf(name, content);
    },
  };
}

/** A pipe has to be read like a stream. */
function isRegular(file: string): boolean {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) throw new TsbuildError('NOT_FOUND', `read archive ${file}: no such file`);
  if (stat.isDirectory())
    throw new TsbuildError('ARCHIVE', `read archive ${file}: it is a directory`);
  return stat.isFile();
}

function memberOf(name: string, range: Extract<Content, { file: string }>): Member {
  const { file, offset, size } = range;
  const readUpTo = (length: number) => {
    const bytes = Buffer.alloc(Math.min(size, length));
    const fd = fs.openSync(file, 'r');
    try {
      return bytes.subarray(0, readFully(fd, bytes, offset));
    } finally {
      fs.closeSync(fd);
    }
  };
  return {
    name,
    size,
    range,
    read() {
      if (size > MAX_DOCUMENT_BYTES)
        throw archiveError(`it has ${size} bytes, which is too large for a document`, name);
      return readUpTo(size);
    },
    open: () =>
      size === 0
        ? Readable.from([])
        : fs.createReadStream(file, {
            start: offset,
            end: offset + size - 1,
            highWaterMark: READ_BYTES,
          }),
    compression: () => detectCompression(readUpTo(8)),
  };
}
