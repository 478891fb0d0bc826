/** Extended attributes of EROFS, all of them inline: they follow their inode. */
import { XATTR_HEADER_SIZE, XATTR_SIZE_MAX } from './erofs-format.ts';

/** EROFS_XATTR_INDEX_*: the part of a name that is a number on disk. */
const PREFIXES: readonly (readonly [prefix: string, index: number])[] = [
  ['user.', 1],
  ['system.posix_acl_access', 2],
  ['system.posix_acl_default', 3],
  ['trusted.', 4],
  ['security.', 6],
];

const ENTRY_SIZE = 4;
const NONE = Buffer.alloc(0);

/**
 * `struct erofs_xattr_ibody_header` and its entries; nothing if there are none. What has no prefix is left out:
 * other filesystems do not take it either. `undefined` if a value, or all, are longer than the format can say.
 */
export function encodeXattrs(
  xattrs: readonly (readonly [string, Uint8Array])[],
): Buffer | undefined {
  if (xattrs.length === 0) return NONE;
  const entries = xattrs.map(([name, value]) => encodeEntry(name, value));
  if (entries.includes(undefined)) return undefined;
  const body = Buffer.concat(entries as Buffer[]);
  if (body.length > XATTR_SIZE_MAX - XATTR_HEADER_SIZE) return undefined;
  return body.length === 0 ? NONE : Buffer.concat([Buffer.alloc(XATTR_HEADER_SIZE), body]);
}

/** `struct erofs_xattr_entry`, then the rest of the name, then the value; a multiple of 4. */
function encodeEntry(name: string, value: Uint8Array): Buffer | undefined {
  const prefix = PREFIXES.find(([text]) => name.startsWith(text));
  if (prefix === undefined) return NONE;
  if (value.length > 0xffff) return undefined;
  const rest = Buffer.from(name.slice(prefix[0].length));
  const entry = Buffer.alloc((ENTRY_SIZE + rest.length + value.length + 3) & ~3);
  entry.writeUInt8(rest.length, 0); // e_name_len
  entry.writeUInt8(prefix[1], 1); // e_name_index
  entry.writeUInt16LE(value.length, 2); // e_value_size
  entry.set(rest, ENTRY_SIZE);
  entry.set(value, ENTRY_SIZE + rest.length);
  return entry;
}
