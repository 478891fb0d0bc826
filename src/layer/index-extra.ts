/** What few files have: device, link target, xattrs. In an index it lies in the pool, beside the names. */
import { decodeName, encodeName } from '../host/path-bytes.ts';
import type { FileNode } from '../tree/file-tree.ts';
import type { Columns } from './columns.ts';

export interface Extra {
  readonly device?: FileNode['device'] | undefined;
  readonly linkTarget?: string | undefined;
  readonly xattrs?: FileNode['xattrs'] | undefined;
}

export function hasExtra(node: FileNode): boolean {
  return node.linkTarget !== undefined || node.device !== undefined || node.xattrs !== undefined;
}

/** Presence bits, then what is present: device, link target, xattrs; texts and values behind their length. */
export function encodeExtra(node: FileNode): Buffer {
  const parts: Buffer[] = [];
  const number = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    parts.push(bytes);
  };
  const counted = (bytes: Uint8Array) => {
    number(bytes.length);
    parts.push(Buffer.from(bytes));
  };
  const xattrs = node.xattrs && Object.entries(node.xattrs);
  number((node.device ? 1 : 0) | (node.linkTarget === undefined ? 0 : 2) | (xattrs ? 4 : 0));
  if (node.device) {
    number(node.device.major);
    number(node.device.minor);
  }
  if (node.linkTarget !== undefined) counted(encodeName(node.linkTarget));
  if (xattrs) {
    number(xattrs.length);
    for (const [name, value] of xattrs) {
      counted(encodeName(name));
      counted(value);
    }
  }
  return Buffer.concat(parts);
}

/** What a record of an index has of them. */
export function extraOf({ pool, extraAt }: Columns, record: number): Extra {
  return extraAt[record] === 0 ? NONE : decodeExtra(pool, extraAt[record]!);
}

/** With all fields, as any other: code that sees one shape only is compiled once. */
const NONE: Extra = { device: undefined, linkTarget: undefined, xattrs: undefined };

function decodeExtra(pool: Buffer, start: number): Extra {
  let at = start;
  const number = (): number => {
    at += 4;
    return pool.readUInt32LE(at - 4);
  };
  const counted = (): Buffer => {
    const length = number();
    at += length;
    return pool.subarray(at - length, at);
  };
  const present = number();
  const device = present & 1 ? { major: number(), minor: number() } : undefined;
  const linkTarget = present & 2 ? decodeName(counted()) : undefined;
  return { device, linkTarget, xattrs: present & 4 ? readXattrs(number(), counted) : undefined };
}

function readXattrs(count: number, counted: () => Buffer): Record<string, Uint8Array> {
  const xattrs: Record<string, Uint8Array> = Object.create(null);
  for (let left = count; left > 0; left -= 1) {
    const name = decodeName(counted());
    // A copy: nobody who keeps an xattr should keep the whole index, or change it.
    xattrs[name] = Uint8Array.from(counted());
  }
  return xattrs;
}
