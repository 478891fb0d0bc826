/** Extended headers: entries of their own that stand before an entry and say what its header has no room for. */
import { decodeName } from '../host/path-bytes.ts';
import { MAX_EXTENSION_BYTES, TarFault } from './entry.ts';
import { checkXattr, parsePax, parsePaxNumber, parsePaxTime, xattrName } from './pax.ts';

/** What all extended headers before one entry said. */
export interface Extension {
  /** Of all of them. */
  bytes: number;
  name?: string;
  linkName?: string;
  size?: number;
  uid?: number;
  gid?: number;
  mtime?: bigint;
  xattrs?: Record<string, Uint8Array>;
  /** The records `GNU.sparse.*`, and the numbers of the map in those. */
  sparse?: Map<string, string>;
  sparseNumbers?: number[];
}

/** PAX for one entry, PAX for all that follow, GNU's long name and long link name. */
export function isExtension(flag: string): boolean {
  return flag === 'x' || flag === 'g' || flag === 'L' || flag === 'K';
}

/** Headers of one entry share one limit, or endless small ones would fill the memory. */
export function reserveExtension(extension: Extension, size: number): void {
  extension.bytes += size;
  if (extension.bytes > MAX_EXTENSION_BYTES)
    throw new TarFault('its extended header is larger than 1 MiB');
}

/** `body` is kept: it must not be lent. */
export function applyExtension(extension: Extension, flag: string, body: Buffer): void {
  if (flag === 'L') extension.name = cString(body);
  else if (flag === 'K') extension.linkName = cString(body);
  // Checked, but not applied: Go and with it Docker leave that to their callers, who do not.
  else if (flag === 'g') parsePax(body, () => {});
  else parsePax(body, (key, value) => applyRecord(extension, key, value));
}

function cString(bytes: Buffer): string {
  const nul = bytes.indexOf(0);
  return decodeName(nul < 0 ? bytes : bytes.subarray(0, nul));
}

function applyRecord(extension: Extension, key: string, value: Buffer): void {
  const xattr = xattrName(key);
  if (xattr !== undefined) {
    checkXattr(xattr, value);
    // No prototype: `__proto__` is a name like any other.
    extension.xattrs ??= Object.create(null) as Record<string, Uint8Array>;
    extension.xattrs[xattr] = Uint8Array.from(value);
  } else if (key.startsWith('GNU.sparse.')) {
    applySparseRecord(extension, key.slice('GNU.sparse.'.length), value);
  } else if (value.length > 0) {
    // An empty value takes nothing away from the header below, as in Go.
    if (key === 'path') extension.name = textOf(key, value);
    else if (key === 'linkpath') extension.linkName = textOf(key, value);
    else if (key === 'size' || key === 'uid' || key === 'gid')
      extension[key] = parsePaxNumber(key, value);
    else if (key === 'mtime') extension.mtime = parsePaxTime(value);
  }
}

function applySparseRecord(extension: Extension, key: string, value: Buffer): void {
  extension.sparse ??= new Map();
  if (key === 'offset' || key === 'numbytes') {
    extension.sparseNumbers ??= [];
    extension.sparseNumbers.push(parsePaxNumber(`GNU.sparse.${key}`, value));
  } else if (key === 'map') {
    const numbers = value.length === 0 ? [] : value.toString('latin1').split(',');
    extension.sparseNumbers = numbers.map((number) =>
      parsePaxNumber('GNU.sparse.map', Buffer.from(number)),
    );
  } else extension.sparse.set(key, textOf(`GNU.sparse.${key}`, value));
}

function textOf(key: string, value: Buffer): string {
  if (value.includes(0)) throw new TarFault(`its PAX header has a NUL in ${key}`);
  return decodeName(value);
}
