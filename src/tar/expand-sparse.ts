/** Makes a whole file of a sparse entry, for those who can only use a range of a file. */
import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { archiveError, type TarEntry } from './entry.ts';

const BUFFER_BYTES = 1024 * 1024;

/** Writes the file `target`, which must not exist; what the entry leaves out stays a hole on the disk too. */
export function expandSparse(archive: string, entry: TarEntry, target: string): void {
  const source = openSync(archive, 'r');
  try {
    const fd = openSync(target, 'wx', 0o644);
    try {
      writePieces(source, fd, entry);
      ftruncateSync(fd, entry.size);
    } finally {
      closeSync(fd);
    }
  } finally {
    closeSync(source);
  }
}

function writePieces(source: number, target: number, entry: TarEntry): void {
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  let from = entry.offset;
  for (const piece of entry.sparse ?? [{ offset: 0, size: entry.storedSize }]) {
    for (let done = 0; done < piece.size; ) {
      const count = readSync(source, buffer, 0, Math.min(buffer.length, piece.size - done), from);
      if (count === 0)
        throw archiveError('the archive ends in the middle of its content', entry.name);
      for (let at = 0; at < count; )
        at += writeSync(target, buffer, at, count - at, piece.offset + done + at);
      done += count;
      from += count;
    }
  }
}
