/** Tar archives of a few files with known sizes, written with the same bytes every time. */
import fs from 'node:fs';
import type { Output } from '../host/output.ts';
import { END_OF_ARCHIVE, encodeHeader } from '../tar/encode.ts';
import { padding } from '../tar/entry.ts';

export interface ArchiveMember {
  /** A directory's ends in a slash. */
  readonly name: string;
  /** A file of this host, bytes, or nothing for a directory. */
  readonly content?: Uint8Array | { readonly file: string; readonly size: number };
}

/** Writes the members in the order given. No time, no owner: nothing but names and content is in the bytes. */
export async function writeArchive(
  members: readonly ArchiveMember[],
  output: Output,
): Promise<void> {
  for (const { name, content } of members) {
    const size = content === undefined ? 0 : 'file' in content ? content.size : content.length;
    await output.put(header(name, size));
    if (content === undefined) continue;
    if ('file' in content) await copyFile(content.file, size, output);
    else await output.put(content);
    await output.put(Buffer.alloc(padding(size)));
  }
  await output.put(END_OF_ARCHIVE);
}

function header(name: string, size: number): Buffer {
  const isDirectory = name.endsWith('/');
  const type = isDirectory ? 'directory' : 'file';
  return encodeHeader({
    name,
    type,
    mode: isDirectory ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    size,
    mtime: 0n,
  });
}

async function copyFile(file: string, size: number, output: Output): Promise<void> {
  const fd = fs.openSync(file, 'r');
  try {
    await output.copy(fd, 0, size);
  } finally {
    fs.closeSync(fd);
  }
}
