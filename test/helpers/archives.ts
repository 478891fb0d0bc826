/** Archives built by hand, for tests of who reads them. */
import { END_OF_ARCHIVE, encodeHeader } from '../../src/tar/encode.ts';
import { padding, type TarHeader } from '../../src/tar/entry.ts';

export type HandMadeEntry = Partial<TarHeader> & {
  readonly name: string;
  readonly content?: string | Uint8Array;
};

/** A tar of entries in this order. `size` may lie about `content`. */
export function tarOf(entries: readonly HandMadeEntry[]): Buffer {
  const blocks = entries.flatMap(({ content = '', ...entry }) => {
    const bytes = Buffer.from(content as string);
    const type = entry.name.endsWith('/') ? 'directory' : 'file';
    const header = {
      type,
      mode: 0o644,
      uid: 0,
      gid: 0,
      size: bytes.length,
      mtime: 0n,
      ...entry,
    } as const;
    return [encodeHeader(header), bytes, Buffer.alloc(padding(bytes.length))];
  });
  return Buffer.concat([...blocks, END_OF_ARCHIVE]);
}
