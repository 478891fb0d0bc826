/**
 * The reader of tars, without I/O: a generator that demands bytes and yields entries. Who drives it (scan.ts) has a file
 * or a stream. Accepts and refuses what Go's archive/tar does, since that is what Docker, containerd and buildah read
 * layers with: an archive may lack its end mark, and global PAX headers (`git archive` writes one) are not applied.
 */
import { displayName, encodeName } from '../host/path-bytes.ts';
import { decodeHeader, decodeHeaderName, isZeroBlock, type RawHeader } from './decode.ts';
import {
  archiveError,
  BLOCK,
  MAX_PATH_BYTES,
  padding,
  type SparsePiece,
  type TarEntry,
  TarFault,
  type TarType,
} from './entry.ts';
import { applyExtension, type Extension, isExtension, reserveExtension } from './extension.ts';
import { checkMap, piecesOf, readMapInData, readOldExtension, readOldMap } from './sparse.ts';

/**
 * `read`: answer with exactly `size` bytes, or fewer at the end of the archive; they are only lent. `skip`: pass over
 * `size` bytes (answer with anything); the archive may end after `needed` of them. `entry`: a result (answer with
 * anything).
 */
export type TarDemand =
  | { readonly kind: 'read'; readonly size: number }
  | { readonly kind: 'skip'; readonly size: number; readonly needed: number; readonly name: string }
  | { readonly kind: 'entry'; readonly entry: TarEntry };

type Parsing<Result> = Generator<TarDemand, Result, Buffer>;

interface Position {
  /** Bytes demanded so far. */
  at: number;
  /** Of the entry at hand, as far as it is known. */
  name: string | undefined;
}

const READ_BLOCK: TarDemand = { kind: 'read', size: BLOCK };

/** @throws TsbuildError `ARCHIVE` naming the entry. */
export function* parseTar(): Parsing<void> {
  const position: Position = { at: 0, name: undefined };
  try {
    while (yield* parseEntry(position)) position.name = undefined;
  } catch (error) {
    throw error instanceof TarFault ? archiveError(error.message, position.name) : error;
  }
}

/** One entry with the extended headers before it; whether there may be more. */
function* parseEntry(position: Position): Parsing<boolean> {
  const extension: Extension = { bytes: 0 };
  for (;;) {
    const block = yield READ_BLOCK;
    if (block.length === 0) return false;
    if (block.length < BLOCK) throw new TarFault('it ends in the middle of a header');
    position.at += BLOCK;
    if (isZeroBlock(block)) return yield* parseEnd();
    position.name = decodeHeaderName(block);
    const raw = decodeHeader(block, position.name);
    if (raw.size < 0) throw new TarFault('its size is negative');
    if (!isExtension(raw.flag)) {
      position.name = extension.sparse?.get('name') ?? extension.name ?? raw.name;
      yield* parseBody(raw, extension, position, position.name);
      return true;
    }
    yield* parseExtension(raw, extension, position);
  }
}

function* parseEnd(): Parsing<false> {
  const second = yield READ_BLOCK;
  if (second.length === BLOCK && !isZeroBlock(second))
    throw new TarFault('a block of zeros stands between its entries');
  return false;
}

function* parseExtension(raw: RawHeader, extension: Extension, position: Position): Parsing<void> {
  reserveExtension(extension, raw.size);
  const padded = raw.size + padding(raw.size);
  const bytes = yield { kind: 'read', size: padded };
  if (bytes.length < raw.size) throw new TarFault('the archive ends in its extended header');
  position.at += padded;
  applyExtension(extension, raw.flag, Buffer.from(bytes.subarray(0, raw.size)));
}

function* parseBody(
  raw: RawHeader,
  extension: Extension,
  position: Position,
  name: string,
): Parsing<void> {
  const type = typeOf(raw, name);
  const size = type === 'file' ? (extension.size ?? raw.size) : 0;
  if (size < 0) throw new TarFault('its size is negative');
  const isSparse = type === 'file' && (raw.flag === 'S' || extension.sparse !== undefined);
  const body = isSparse ? yield* parseSparse(raw, extension, position, size) : undefined;
  // All fields in all of them: code that sees objects of one shape runs in half the time.
  const entry: TarEntry = {
    name,
    type,
    mode: raw.mode & 0o7777,
    uid: checkId(extension.uid ?? raw.uid),
    gid: checkId(extension.gid ?? raw.gid),
    size: body?.size ?? size,
    mtime: timeOf(raw, extension),
    linkName: linkOf(raw, extension, type),
    device: deviceOf(raw, type),
    xattrs: extension.xattrs,
    offset: position.at,
    storedSize: body?.storedSize ?? size,
    sparse: body?.sparse,
  };
  yield { kind: 'entry', entry };
  const padded = entry.storedSize + padding(entry.storedSize);
  if (padded > 0) yield { kind: 'skip', size: padded, needed: entry.storedSize, name };
  position.at += padded;
}

const TYPES: ReadonlyMap<string, TarType> = new Map([
  ['\0', 'file'],
  ['0', 'file'],
  ['1', 'link'],
  ['2', 'symlink'],
  ['3', 'char'],
  ['4', 'block'],
  ['5', 'directory'],
  ['6', 'fifo'],
  // Contiguous: a file like any other. Sparse, in the old GNU form.
  ['7', 'file'],
  ['S', 'file'],
]);

function typeOf(raw: RawHeader, name: string): TarType {
  const type = TYPES.get(raw.flag);
  if (type === undefined)
    throw new TarFault(`it has the unknown type ${JSON.stringify(displayName(raw.flag))}`);
  if (name === '') throw new TarFault('it has no name');
  if (isTooLong(name)) throw new TarFault('its name is longer than 4096 bytes');
  // Before there was a type for directories, a slash told them.
  return type === 'file' && name.endsWith('/') ? 'directory' : type;
}

function isTooLong(path: string): boolean {
  return path.length * 3 > MAX_PATH_BYTES && encodeName(path).length > MAX_PATH_BYTES;
}

/** The last one means "leave it as it is" to chown(2). */
const MAX_ID = 0xffff_fffe;
const MAX_TIME = (1n << 63n) - 1n;

function checkId(id: number): number {
  if (id < 0 || id > MAX_ID) throw new TarFault(`its owner ${id} is out of range`);
  return id;
}

function timeOf(raw: RawHeader, extension: Extension): bigint {
  const mtime = extension.mtime ?? BigInt(raw.mtime) * 1_000_000_000n;
  // Like Docker: what a clock cannot hold is the epoch.
  return mtime <= MAX_TIME && mtime >= -MAX_TIME ? mtime : 0n;
}

function linkOf(raw: RawHeader, extension: Extension, type: TarType): string | undefined {
  if (type !== 'link' && type !== 'symlink') return undefined;
  const linkName = extension.linkName ?? raw.linkName;
  if (isTooLong(linkName)) throw new TarFault('its link target is longer than 4096 bytes');
  return linkName;
}

function deviceOf({ major, minor }: RawHeader, type: TarType): TarEntry['device'] {
  if (type !== 'char' && type !== 'block') return undefined;
  for (const number of [major, minor]) {
    if (number < 0 || number > 0xffff_ffff) throw new TarFault('its device number is out of range');
  }
  return { major, minor };
}

interface SparseBody {
  readonly size: number;
  readonly storedSize: number;
  readonly sparse: readonly SparsePiece[];
}

/** Reads the map; `stored` is what the header calls the size. */
function* parseSparse(
  raw: RawHeader,
  extension: Extension,
  position: Position,
  stored: number,
): Parsing<SparseBody> {
  const start = position.at;
  const map =
    raw.flag === 'S'
      ? yield* parseOldMap(raw, position)
      : yield* parsePaxMap(extension, position, stored);
  // In PAX 1.0 the map is part of what is stored; blocks that continue an old map are not.
  const storedSize = raw.flag === 'S' ? stored : stored - (position.at - start);
  checkMap(map.pieces, map.size, storedSize);
  return { size: map.size, storedSize, sparse: map.pieces };
}

interface SparseMap {
  readonly pieces: readonly SparsePiece[];
  readonly size: number;
}

function* parseOldMap(raw: RawHeader, position: Position): Parsing<SparseMap> {
  const { pieces, realSize, isExtended } = readOldMap(raw.block);
  for (let more = isExtended; more; ) more = readOldExtension(yield* mapBlock(position), pieces);
  return { pieces, size: realSize };
}

function* parsePaxMap(
  extension: Extension,
  position: Position,
  stored: number,
): Parsing<SparseMap> {
  const records = extension.sparse!;
  const size = Number(records.get('realsize') ?? records.get('size') ?? Number.NaN);
  if (!Number.isSafeInteger(size) || size < 0)
    throw new TarFault('its sparse size is not a number');
  const version = `${records.get('major') ?? 0}.${records.get('minor') ?? 0}`;
  if (version === '0.0' || version === '0.1')
    return { pieces: piecesOf(extension.sparseNumbers ?? []), size };
  if (version !== '1.0') throw new TarFault(`it is sparse in the unknown format ${version}`);
  const reading = readMapInData(stored + padding(stored));
  let step = reading.next();
  while (!step.done) step = reading.next(yield* mapBlock(position));
  return { pieces: step.value, size };
}

function* mapBlock(position: Position): Parsing<Buffer> {
  const block = yield READ_BLOCK;
  if (block.length < BLOCK) throw new TarFault('the archive ends in its sparse map');
  position.at += BLOCK;
  return block;
}
