/**
 * The tar codec. A layer's tar is read and written by our own synchronous code, because a layer is the one archive that
 * must come back byte for byte: names in any bytes, xattrs with binary values (a decoder that takes PAX values for
 * UTF-8 destroys `security.capability`), nanoseconds, sizes above 8 GiB; and because its digest must depend on nothing
 * but its input. archive.ts has archives of a few named files (`docker save`, an OCI layout in a tar).
 *
 * encode.ts makes headers: plain ustar where everything fits, else a PAX header before it. parse.ts reads any dialect in
 * use (v7, ustar, PAX, GNU, star, sparse) as a sequence of demands, without doing I/O; scan.ts feeds it from a file or
 * from chunks. Names here are as the archive has them; entry-path.ts makes safe paths of them.
 *
 *     for (const entry of scanTar('layer.tar')) console.log(entry.name, entry.offset, entry.size);
 *
 * POSIX: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13
 * GNU: https://www.gnu.org/software/tar/manual/html_node/Tar-Internals.html
 */
import { TsbuildError } from '../errors.ts';
import { displayName } from '../host/path-bytes.ts';
import type { FileType } from '../tree/file-tree.ts';

export const BLOCK = 512;

/** Nobody's header needs more, and a reader must hold it in memory; the limit of Go's archive/tar. */
export const MAX_EXTENSION_BYTES = 1024 * 1024;
/** Linux' PATH_MAX and NAME_MAX: what is longer cannot be made by any reader. */
export const MAX_PATH_BYTES = 4096;
export const MAX_NAME_BYTES = 255;
/** Linux' XATTR_SIZE_MAX. */
export const MAX_XATTR_BYTES = 65536;

/** A `link` is a hard link to the entry that `linkName` names. */
export type TarType = FileType | 'link';

/** What a header says. Names are bytes as strings (host/path-bytes.ts), as stored in the archive. */
export interface TarHeader {
  readonly name: string;
  readonly type: TarType;
  /** 0…0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of a file; 0 for everything else. */
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  /** Of symlinks and hard links. */
  readonly linkName?: string;
  readonly device?: { readonly major: number; readonly minor: number };
  readonly xattrs?: Readonly<Record<string, Uint8Array>>;
}

/** A header found in an archive, and where its bytes are. */
export interface TarEntry extends TarHeader {
  /** Where the stored bytes begin in the archive. */
  readonly offset: number;
  /** Stored bytes; differs from `size` only for sparse files. */
  readonly storedSize: number;
  /** The pieces of a sparse file that are stored, one after the other, from `offset` on; all else is zeros. */
  readonly sparse?: readonly SparsePiece[];
}

export interface SparsePiece {
  /** In the expanded file. */
  readonly offset: number;
  readonly size: number;
}

/** Bytes up to the next whole block. */
export function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** What is wrong with the bytes at hand, said by code that does not know which entry they belong to: parse.ts does. */
export class TarFault extends Error {}

/** An error about one entry, or about the archive when there is no name yet. */
export function archiveError(why: string, name?: string): TsbuildError {
  const where =
    name === undefined
      ? 'archive'
      : `archive entry ${JSON.stringify(displayName(name).slice(0, 300))}`;
  return new TsbuildError('ARCHIVE', `read ${where}: ${why}`);
}
