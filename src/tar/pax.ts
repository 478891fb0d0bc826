/**
 * PAX extended headers: records `LENGTH KEY=VALUE\n` where the length counts itself. Values are bytes: the standard says
 * UTF-8, but xattrs are binary and names need not be text, and GNU tar, Go and libarchive all store them raw.
 */
import { decodeName, encodeName } from '../host/path-bytes.ts';
import { MAX_XATTR_BYTES, TarFault } from './entry.ts';

export type PaxRecords = Map<string, Buffer>;

const XATTR = 'SCHILY.xattr.';

/** Records in the order of their keys, so that equal input gives equal bytes. */
export function encodePax(records: PaxRecords): Buffer {
  const keys = [...records.keys()].sort();
  return Buffer.concat(keys.map((key) => encodeRecord(key, records.get(key)!)));
}

function encodeRecord(key: string, value: Buffer): Buffer {
  const keyBytes = encodeName(key);
  const rest = keyBytes.length + value.length + 3;
  let length = rest + String(rest).length;
  length = rest + String(length).length;
  return Buffer.concat([
    Buffer.from(`${length} `),
    keyBytes,
    Buffer.from('='),
    value,
    Buffer.from('\n'),
  ]);
}

/**
 * Parses a whole extended header. `onRecord` sees every record in order, repeated ones too (the old sparse maps need
 * that). @throws TarFault for lengths that do not add up.
 */
export function parsePax(bytes: Buffer, onRecord: (key: string, value: Buffer) => void): void {
  for (let at = 0; at < bytes.length; ) {
    // What GNU tar and Go tolerate: a header padded with NULs.
    if (bytes[at] === 0) return;
    const space = bytes.indexOf(0x20, at);
    if (space < 0 || space - at > 10) throw malformed();
    const digits = bytes.toString('latin1', at, space);
    const length = /^[0-9]+$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (end > bytes.length || end <= space + 2 || bytes[end - 1] !== 0x0a) throw malformed();
    const equals = bytes.indexOf(0x3d, space + 1);
    if (equals <= space + 1 || equals >= end) throw malformed();
    onRecord(decodeName(bytes.subarray(space + 1, equals)), bytes.subarray(equals + 1, end - 1));
    at = end;
  }
}

/** Seconds with any number of decimals, to nanoseconds, rounded down. */
export function parsePaxTime(value: Buffer): bigint {
  const match = /^(-?)([0-9]{1,20})(?:\.([0-9]*))?$/.exec(value.toString('latin1'));
  if (match === null) throw new TarFault('its PAX header has a time that is not a number');
  const fraction = (match[3] ?? '').slice(0, 9).padEnd(9, '0');
  const time = BigInt(match[2]!) * 1_000_000_000n + BigInt(fraction);
  return match[1] === '-' ? -time : time;
}

export function formatPaxTime(time: bigint): Buffer {
  const magnitude = time < 0n ? -time : time;
  const fraction = String(magnitude % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  const seconds = magnitude / 1_000_000_000n;
  return Buffer.from(`${time < 0n ? '-' : ''}${seconds}${fraction === '' ? '' : `.${fraction}`}`);
}

/** A count or an id. */
export function parsePaxNumber(key: string, value: Buffer): number {
  const text = value.toString('latin1');
  const number = /^-?[0-9]{1,20}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw new TarFault(`its PAX header has a bad ${key}`);
  return number;
}

/** As GNU tar does it: a key ends at the first `=`, which names of xattrs may hold. */
export function xattrKey(name: string): string {
  return XATTR + name.replace(/[%=]/g, (c) => (c === '%' ? '%25' : '%3D'));
}

/** The xattr's name if `key` is one. */
export function xattrName(key: string): string | undefined {
  if (!key.startsWith(XATTR)) return undefined;
  return key.slice(XATTR.length).replace(/%3D|%25/g, (c) => (c === '%25' ? '%' : '='));
}

export function checkXattr(name: string, value: Uint8Array): void {
  if (name === '' || encodeName(name).length > 255 || name.includes('\0'))
    throw new TarFault('it has a bad xattr name');
  if (value.length > MAX_XATTR_BYTES) throw new TarFault(`its xattr ${name} is larger than 64 KiB`);
}

function malformed() {
  return new TarFault('its PAX header is malformed');
}
