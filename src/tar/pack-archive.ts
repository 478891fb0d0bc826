/**
 * Writes archives of a few named files, by tar-stream: it takes no longer than code of our own did. Layers are another
 * matter: see encode.ts for what their headers hold, and for reading what strangers made, parse.ts, whose limits
 * tar-stream does not have.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type Header, type Pack, pack } from 'tar-stream';
import { TsbuildError } from '../errors.ts';
import type { Content, FileRange } from '../tree/file-tree.ts';

/** A directory when it has no content. */
export interface ArchiveMember {
  readonly name: string;
  readonly content?: Content;
  /** Seconds since 1970; 0 by default, so that equal content gives equal archives. */
  readonly mtime?: number;
}

const READ_BYTES = 256 * 1024;

/**
 * The bytes of an archive, in pieces, each lent until the next one is asked for: for whoever writes them somewhere.
 * @throws TsbuildError `STORE` if a file is shorter than its member
 */
export async function* packArchive(members: Iterable<ArchiveMember>): AsyncGenerator<Uint8Array> {
  const archive = pack();
  const loan = createLoan();
  const fed = feed(archive, members, loan).catch((error) => void archive.destroy(error));
  try {
    for await (const bytes of archive as AsyncIterable<Uint8Array>) {
      yield bytes;
      loan.giveBack(bytes);
    }
  } finally {
    // Who stops reading leaves files open otherwise.
    archive.destroy();
    loan.giveBack();
    await fed;
  }
}

/** One buffer for the bytes of all files. It takes its way through tar-stream and is filled again when it is back. */
interface Loan {
  readonly buffer: Buffer;
  /** Resolves when the buffer is free again. */
  lend(): Promise<void>;
  /** Of other bytes, which tar-stream has made, nothing is told. */
  giveBack(bytes?: Uint8Array): void;
}

function createLoan(): Loan {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  let free = () => {};
  return {
    buffer,
    lend: () =>
      new Promise((resolve) => {
        free = resolve;
      }),
    giveBack: (bytes = buffer) => {
      if (bytes.buffer === buffer.buffer) free();
    },
  };
}

async function feed(archive: Pack, members: Iterable<ArchiveMember>, loan: Loan): Promise<void> {
  for (const member of members) {
    const entry = archive.entry(headerOf(member));
    const { name, content } = member;
    if (content === undefined) continue;
    if ('bytes' in content) entry.end(content.bytes);
    else await pipeline(fileBytes(content, name, loan), entry);
  }
  archive.finalize();
}

function headerOf({
  name,
  content,
  mtime = 0,
}: ArchiveMember): Partial<Header> & { readonly name: string } {
  const rest = { mtime: new Date(mtime * 1000), uid: 0, gid: 0 };
  if (content === undefined) return { name: `${name}/`, type: 'directory', mode: 0o755, ...rest };
  const size = 'bytes' in content ? content.bytes.length : content.size;
  return { name, type: 'file', mode: 0o644, size, ...rest };
}

async function* fileBytes(
  { file, offset, size }: FileRange,
  name: string,
  { buffer, lend }: Loan,
): AsyncGenerator<Uint8Array> {
  const fd = openSync(file, 'r');
  try {
    for (let at = 0; at < size; ) {
      const length = readSync(fd, buffer, 0, Math.min(size - at, READ_BYTES), offset + at);
      // The header has promised more: what follows would be read as content.
      if (length === 0)
        throw new TsbuildError('STORE', `pack ${name}: ${file} is shorter than it was`);
      const free = lend();
      yield buffer.subarray(0, length);
      await free;
      at += length;
    }
  } finally {
    closeSync(fd);
  }
}
