/**
 * Archives from outside, opened for reading at random. Nothing in one is ever written to a path that it names: members are
 * looked up by name here, and their bytes go to where their digests say.
 */
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TsbuildError } from '../errors.ts';
import { diskError } from '../host/disk-error.ts';
import { inflateError, inflateStream } from '../layer/inflate.ts';
import type { Compression } from '../oci/media-types.ts';
import { archiveError, type TarEntry } from '../tar/entry.ts';
import { entryPath } from '../tar/entry-path.ts';
import { scanTar } from '../tar/scan.ts';

export interface Member {
  /** As the archive has it. */
  readonly name: string;
  readonly size: number;
  /** All bytes of a small one. @throws TsbuildError `ARCHIVE` if it is larger than 4 MiB */
  read(): Buffer;
  open(): Readable;
  /** What its first bytes say. */
  compression(): Compression;
}

export interface ArchiveReader extends Disposable {
  has(name: string): boolean;
  /** The file of that name; links within the archive are followed. @throws TsbuildError `ARCHIVE` */
  member(name: string): Member;
}

const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;
const MAX_ENTRIES = 100_000;
/** Links to links: `docker save` of old made one. */
const MAX_LINKS = 8;
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
  const file = await plainFile(source, directory, signal);
  const fd = openFile(file);
  try {
    return reader(fd, collectEntries(fd));
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}

async function plainFile(
  source: string | Readable,
  directory: string,
  signal?: AbortSignal,
): Promise<string> {
  const isFile = typeof source === 'string' && isRegular(source);
  const stream = typeof source === 'string' && !isFile ? fs.createReadStream(source) : source;
  const file =
    typeof stream === 'string'
      ? stream
      : await spool(stream, 'none', path.join(directory, 'archive'), signal);
  const compression = compressionOf(file);
  if (compression === 'none') return file;
  const target = path.join(directory, 'archive.tar');
  return spool(
    fs.createReadStream(file, { highWaterMark: READ_BYTES }),
    compression,
    target,
    signal,
  );
}

async function spool(
  source: Readable,
  compression: Compression,
  target: string,
  signal?: AbortSignal,
): Promise<string> {
  try {
    const stages = [
      source,
      inflateStream(compression),
      fs.createWriteStream(target, { flags: 'wx' }),
    ];
    await pipeline(stages, signal ? { signal } : {});
    return target;
  } catch (error) {
    signal?.throwIfAborted();
    throw diskError(inflateError(error, 'read archive'), 'read archive');
  }
}

function isRegular(file: string): boolean {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) throw new TsbuildError('NOT_FOUND', `read archive ${file}: no such file`);
  if (stat.isDirectory())
    throw new TsbuildError('ARCHIVE', `read archive ${file}: it is a directory`);
  return stat.isFile();
}

function compressionOf(file: string): Compression {
  const fd = openFile(file);
  try {
    return detectCompression(fd, 0);
  } finally {
    fs.closeSync(fd);
  }
}

/** RFC 1952, 2.3.1; RFC 8878, 3.1.1. */
function detectCompression(fd: number, offset: number): Compression {
  const magic = Buffer.alloc(4);
  fs.readSync(fd, magic, 0, 4, offset);
  if (magic[0] === 0x1f && magic[1] === 0x8b) return 'gzip';
  return magic.readUInt32LE() === 0xfd2fb528 ? 'zstd' : 'none';
}

function openFile(file: string): number {
  try {
    return fs.openSync(file, 'r');
  } catch (cause) {
    throw diskError(cause, `read archive ${file}`, 'ARCHIVE');
  }
}

/** By path; of two entries with the same, the later one counts, as everywhere with tar. */
function collectEntries(fd: number): ReadonlyMap<string, TarEntry> {
  const entries = new Map<string, TarEntry>();
  for (const entry of scanTar(fd)) {
    // Unpackers differ in what they make of such a name; an archive of images has no use for one.
    if (entry.name.startsWith('/')) throw archiveError('its name is absolute', entry.name);
    entries.set(entryPath(entry.name), entry);
    if (entries.size > MAX_ENTRIES)
      throw archiveError(`there are more than ${MAX_ENTRIES} entries`);
  }
  return entries;
}

function reader(fd: number, entries: ReadonlyMap<string, TarEntry>): ArchiveReader {
  const find = (name: string): TarEntry => {
    let entry = entries.get(entryPath(name));
    for (let links = 0; entry?.type === 'symlink' || entry?.type === 'link'; links += 1) {
      if (links === MAX_LINKS) throw archiveError('it is a link to a link, and so on', name);
      entry = entries.get(linkTarget(entry));
    }
    if (entry === undefined) throw archiveError('it is missing', name);
    if (entry.type !== 'file') throw archiveError(`it is a ${entry.type}, not a file`, name);
    if (entry.sparse) throw archiveError('it is a sparse file', name);
    return entry;
  };
  return {
    has: (name) => entries.has(name),
    member: (name) => memberOf(fd, find(name)),
    [Symbol.dispose]: () => fs.closeSync(fd),
  };
}

/** Hard links are relative to the archive's root, symlinks to where they stand. */
function linkTarget({ name, type, linkName = '' }: TarEntry): string {
  if (type === 'link') return entryPath(linkName, name);
  if (linkName.startsWith('/')) throw archiveError('it is a symlink to an absolute path', name);
  return entryPath(path.posix.join(path.posix.dirname(name), linkName), name);
}

function memberOf(fd: number, { name, offset, size }: TarEntry): Member {
  const read = () => {
    if (size > MAX_DOCUMENT_BYTES)
      throw archiveError(`it has ${size} bytes, which is too large for a document`, name);
    const bytes = Buffer.alloc(size);
    for (let at = 0; at < size; ) {
      const length = fs.readSync(fd, bytes, at, size - at, offset + at);
      if (length === 0) throw archiveError('the archive was cut short while it was read', name);
      at += length;
    }
    return bytes;
  };
  const open = () =>
    size === 0
      ? Readable.from([])
      : // Its own descriptor: a stream that is destroyed closes the one that it has.
        fs.createReadStream(`/proc/self/fd/${fd}`, {
          start: offset,
          end: offset + size - 1,
          highWaterMark: READ_BYTES,
        });
  return { name, size, read, open, compression: () => detectCompression(fd, offset) };
}
