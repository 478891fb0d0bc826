/**
 * The reader of tars, without I/O: a generator that demands bytes and yields entries. Who drives it (scan.ts) has a file
 * or a stream. Accepts and refuses what Go's archive/tar does, since that is what Docker, containerd and buildah read
 * layers with: an archive may lack its end mark, and global PAX headers (`git archive` writes one) are not applied.
 */
import { isTsbuildError } from '../errors.ts';
import { decodeName, displayName, encodeName } from '../host/path-bytes.ts';
import { decodeHeader, isZeroBlock, type RawHeader } from './decode.ts';
import {
  archiveError,
  BLOCK,
  MAX_EXTENSION_BYTES,
  MAX_PATH_BYTES,
  padding,
  type SparsePiece,
  type TarEntry,
  type TarType,
} from './entry.ts';
import { checkXattr, parsePax, parsePaxNumber, parsePaxTime, xattrName } from './pax.ts';
import { checkMap, piecesOf, readMapInData, readOldExtension, readOldMap } from './sparse.ts';

/**
 * `read`: answer with exactly `size` bytes, or fewer at the end of the archive. `skip`: pass over `size` bytes (answer
 * with anything); the archive may end after `needed` of them. `entry`: a result (answer with anything).
 */
export type TarDemand =
  | { readonly kind: 'read'; readonly size: number }
  | { readonly kind: 'skip'; readonly size: number; readonly needed: number; readonly name: string }
  | { readonly kind: 'entry'; readonly entry: TarEntry };

type Parsing<Result> = Generator<TarDemand, Result, Buffer>;

/** What extended headers said about the entry that follows them. */
interface Extension {
  /** Bytes of all of its headers. */
  bytes: number;
  name?: string;
  linkName?: string;
  size?: number;
  uid?: number;
  gid?: number;
  mtime?: bigint;
  xattrs?: Record<string, Uint8Array>;
  sparse?: Map<string, string>;
  sparseNumbers?: number[];
}

const READ_BLOCK: TarDemand = { kind: 'read', size: BLOCK };
const TYPES: Readonly<Record<string, TarType>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
  S: 'file',
};

/** @throws TsbuildError `ARCHIVE` naming the entry. */
export function* parseTar(): Parsing<void> {
  let extension: Extension = { bytes: 0 };
  for (let at = 0; ; ) {
    const block = yield READ_BLOCK;
    if (block.length === 0) return;
    if (block.length < BLOCK) throw archiveError('it ends in the middle of a header');
    at += BLOCK;
    if (isZeroBlock(block)) {
      const second = yield READ_BLOCK;
      if (second.length < BLOCK || isZeroBlock(second)) return;
      throw archiveError('a block of zeros stands between its entries');
    }
    const raw = decodeHeader(block);
    if (raw.size < 0) throw archiveError('its size is negative', raw.name);
    if ('xgLK'.includes(raw.flag)) {
      yield* readExtension(raw, extension);
      at += raw.size + padding(raw.size);
      continue;
    }
    const { entry, next } = yield* named(raw, extension, completeEntry(raw, extension, at));
    yield { kind: 'entry', entry };
    const size = entry.offset + entry.storedSize - next;
    const padded = size + padding(size);
    if (padded > 0) yield { kind: 'skip', size: padded, needed: size, name: entry.name };
    at = next + padded;
    extension = { bytes: 0 };
  }
}

/** Adds the entry's name to errors of what is read for it. */
function* named<T>(raw: RawHeader, extension: Extension, parsing: Parsing<T>): Parsing<T> {
  try {
    return yield* parsing;
  } catch (error) {
    if (!isTsbuildError(error) || !error.message.startsWith('read archive: ')) throw error;
    throw archiveError(error.message.slice('read archive: '.length), extension.name ?? raw.name);
  }
}

function* readExtension(raw: RawHeader, extension: Extension): Parsing<void> {
  extension.bytes += raw.size;
  if (extension.bytes > MAX_EXTENSION_BYTES)
    throw archiveError('its extended header is larger than 1 MiB', raw.name);
  const padded = raw.size + padding(raw.size);
  const bytes = yield { kind: 'read', size: padded };
  if (bytes.length < raw.size)
    throw archiveError('the archive ends in its extended header', raw.name);
  // A driver's buffer is only lent.
  const body = Buffer.from(bytes.subarray(0, raw.size));
  if (raw.flag === 'L') extension.name = cString(body);
  else if (raw.flag === 'K') extension.linkName = cString(body);
  else if (raw.flag === 'g') parsePax(body, () => {});
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
    // Own property, whatever the name: `__proto__` is a name like any other.
    extension.xattrs ??= Object.create(null) as Record<string, Uint8Array>;
    extension.xattrs[xattr] = Buffer.from(value);
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
    extension.sparseNumbers = numbers.map((n) => parsePaxNumber('GNU.sparse.map', Buffer.from(n)));
  } else extension.sparse.set(key, textOf(`GNU.sparse.${key}`, value));
}

function textOf(key: string, value: Buffer): string {
  if (value.includes(0)) throw archiveError(`its PAX header has a NUL in ${key}`);
  return decodeName(value);
}

/** Everything known about one entry, and where in the archive the reader stands after its header. */
interface Completed {
  readonly entry: TarEntry;
  readonly next: number;
}

function* completeEntry(raw: RawHeader, extension: Extension, at: number): Parsing<Completed> {
  let type = TYPES[raw.flag];
  const name = extension.sparse?.get('name') ?? extension.name ?? raw.name;
  if (type === undefined)
    throw archiveError(`it has the unknown type ${JSON.stringify(displayName(raw.flag))}`);
  // Before there was a type for directories, a slash told them.
  if (type === 'file' && name.endsWith('/')) type = 'directory';
  if (name === '') throw archiveError('it has no name');
  if (isTooLong(name)) throw archiveError('its name is longer than 4096 bytes');
  const stored = type === 'file' ? (extension.size ?? raw.size) : 0;
  if (stored < 0) throw archiveError('its size is negative');
  const base = {
    name,
    type,
    ...ownership(raw, extension),
    ...linkOf(raw, extension, type),
    ...deviceOf(raw, type),
  };
  if (type === 'file' && (raw.flag === 'S' || extension.sparse !== undefined)) {
    const map = yield* readSparse(raw, extension, stored);
    checkMap(map.pieces, map.size, stored - map.inData);
    const next = at + map.before + map.inData;
    const place = { offset: next, storedSize: stored - map.inData, sparse: map.pieces };
    return { entry: { ...base, size: map.size, ...place }, next };
  }
  return { entry: { ...base, size: stored, offset: at, storedSize: stored }, next: at };
}

function isTooLong(path: string): boolean {
  return path.length * 3 > MAX_PATH_BYTES && encodeName(path).length > MAX_PATH_BYTES;
}

const MAX_ID = 0xffff_fffe;
const MAX_TIME = (1n << 63n) - 1n;

function ownership(raw: RawHeader, extension: Extension) {
  const uid = extension.uid ?? raw.uid;
  const gid = extension.gid ?? raw.gid;
  for (const id of [uid, gid])
    if (id < 0 || id > MAX_ID) throw archiveError(`its owner ${id} is out of range`);
  const mtime = extension.mtime ?? BigInt(raw.mtime) * 1_000_000_000n;
  // Like Docker: what a clock cannot hold is the epoch.
  const isPossible = mtime <= MAX_TIME && mtime >= -MAX_TIME;
  return {
    mode: raw.mode & 0o7777,
    uid,
    gid,
    mtime: isPossible ? mtime : 0n,
    ...(extension.xattrs && { xattrs: extension.xattrs }),
  };
}

function linkOf(raw: RawHeader, extension: Extension, type: TarType): { linkName?: string } {
  if (type !== 'link' && type !== 'symlink') return {};
  const linkName = extension.linkName ?? raw.linkName;
  if (isTooLong(linkName)) throw archiveError('its link target is longer than 4096 bytes');
  return { linkName };
}

function deviceOf(raw: RawHeader, type: TarType): { device?: { major: number; minor: number } } {
  if (type !== 'char' && type !== 'block') return {};
  for (const n of [raw.major, raw.minor]) {
    if (n < 0 || n > 0xffff_ffff) throw archiveError('its device number is out of range');
  }
  return { device: { major: raw.major, minor: raw.minor } };
}

interface ReadMap {
  readonly pieces: SparsePiece[];
  readonly size: number;
  /** Bytes of map blocks that the entry's size does not count, and those that it does. */
  readonly before: number;
  readonly inData: number;
}

function* readSparse(raw: RawHeader, extension: Extension, stored: number): Parsing<ReadMap> {
  if (raw.flag === 'S') {
    const { pieces, realSize, isExtended } = readOldMap(raw.block);
    let before = 0;
    for (let more = isExtended; more; before += BLOCK)
      more = readOldExtension(yield* wholeBlock(), pieces);
    return { pieces, size: realSize, before, inData: 0 };
  }
  const records = extension.sparse!;
  const size = Number(records.get('realsize') ?? records.get('size') ?? Number.NaN);
  if (!Number.isSafeInteger(size) || size < 0)
    throw archiveError('its sparse size is not a number');
  const version = `${records.get('major') ?? 0}.${records.get('minor') ?? 0}`;
  if (version !== '1.0') {
    if (version !== '0.0' && version !== '0.1')
      throw archiveError(`it is sparse in the unknown format ${version}`);
    return { pieces: piecesOf(extension.sparseNumbers ?? []), size, before: 0, inData: 0 };
  }
  const reading = readMapInData(stored + padding(stored));
  let step = reading.next();
  while (!step.done) step = reading.next(yield* wholeBlock());
  return { pieces: step.value.pieces, size, before: 0, inData: step.value.bytes };
}

function* wholeBlock(): Parsing<Buffer> {
  const block = yield READ_BLOCK;
  if (block.length < BLOCK) throw archiveError('the archive ends in its sparse map');
  return block;
}
