/**
 * Reads archives of a few named files: `docker save`, an OCI layout in a tar. That needs no unpacking: members are ranges
 * of the archive's file. What comes as a stream or compressed is spooled to one file first. pack-archive.ts writes them.
 */
import { closeSync, createReadStream, createWriteStream, openSync } from 'node:fs';
import { join } from 'node:path';
import { type Duplex, type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { TsbuildError } from '../errors.ts';
import { diskError } from '../host/disk-error.ts';
import { readFully } from '../host/read-fully.ts';
import type { Content } from '../tree/file-tree.ts';
import { archiveError, type TarEntry } from './entry.ts';
import { entryPath } from './entry-path.ts';
import { detectCompression, inflateError, inflateStream, type TarCompression } from './inflate.ts';
import { scanTar } from './scan.ts';

export interface ReadOptions {
  /** A private directory for the spooled archive; the caller removes it when the members have been read. */
  readonly directory: string;
  /** Of the uncompressed archive; without it only the disk is a limit. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

/** An image has hundreds of members, not more: the rest is an attack on memory. */
const MAX_MEMBERS = 100_000;
const READ_BYTES = 1024 * 1024;

/**
 * The files of an archive by their clean path; links are resolved to the files they stand for, directories left out.
 * `source` is a file on this host or a stream; compressed ones are detected.
 * @throws TsbuildError `ARCHIVE` naming the member, `DISK_FULL`, `OUTPUT`
 */
export async function readArchive(
  source: string | Readable,
  options: ReadOptions,
): Promise<ReadonlyMap<string, Extract<Content, { file: string }>>> {
  const stored = typeof source === 'string' ? source : await spool(source, 'archive', options);
  const compression = detectCompression(headOf(stored));
  const file = compression === 'none' ? stored : await inflateFile(stored, compression, options);
  const members = new Map<string, Extract<Content, { file: string }>>();
  const links: TarEntry[] = [];
  let count = 0;
  for (const entry of scanTar(file)) {
    count += 1;
    if (count > MAX_MEMBERS) throw archiveError(`it has more than ${MAX_MEMBERS} entries`);
    if (entry.sparse !== undefined) throw archiveError('it is sparse', entry.name);
    if (entry.type === 'link' || entry.type === 'symlink') links.push(entry);
    if (entry.type !== 'file') continue;
    members.set(entryPath(entry.name), { file, offset: entry.offset, size: entry.size });
  }
  for (const link of links) {
    const found = members.get(linkedPath(link));
    // A dangling one is as good as none: whoever asks for it will say what is missing.
    if (found !== undefined) members.set(entryPath(link.name), found);
  }
  return members;
}

/** Old `docker save` writes `../<id>/layer.tar` for a layer that it has written already. */
function linkedPath(link: TarEntry): string {
  const target = link.linkName ?? '';
  return entryPath(
    link.type === 'link' || target.startsWith('/') ? target : `${link.name}/../${target}`,
    link.name,
  );
}

function headOf(file: string): Buffer {
  const fd = openSync(file, 'r');
  try {
    const head = Buffer.alloc(8);
    return head.subarray(0, readFully(fd, head, 0));
  } finally {
    closeSync(fd);
  }
}

function inflateFile(
  file: string,
  compression: TarCompression,
  options: ReadOptions,
): Promise<string> {
  const compressed = createReadStream(file, { highWaterMark: READ_BYTES });
  return spool(compressed, 'archive.tar', options, [inflateStream(compression)]);
}

async function spool(
  source: Readable,
  name: string,
  { directory, maxBytes, signal }: ReadOptions,
  through: readonly Duplex[] = [],
): Promise<string> {
  const file = join(directory, name);
  const stages = [source, ...through, limit(maxBytes), createWriteStream(file, { flags: 'wx' })];
  try {
    await pipeline(stages, signal ? { signal } : {});
  } catch (error) {
    signal?.throwIfAborted();
    throw diskError(inflateError(error, 'read archive'), 'spool archive');
  }
  return file;
}

function limit(maxBytes = Number.POSITIVE_INFINITY): Transform {
  let size = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      if (size <= maxBytes) done(null, chunk);
      else done(new TsbuildError('ARCHIVE', `read archive: it is larger than ${maxBytes} bytes`));
    },
  });
}
