/**
 * What files contained when they were last read: (device, inode, size, mtime, ctime) → sha256. A file whose five numbers
 * are the same has the same bytes, so a build in which nothing changed reads no file.
 *
 * The one hole is a file changed twice within a tick of the filesystem's clock: the second change need not show. So, as
 * git does (https://git-scm.com/docs/racy-git), what was changed a moment before it was hashed is not remembered; the
 * next build reads it once more.
 *
 * One file for each context, found by the directory's inode, so that it survives a rename. Fixed-width records after a
 * header: 20,000 of them are read in a few milliseconds. A damaged or missing file is an empty cache, never an error.
 */
import fs from 'node:fs';
import path from 'node:path';
import { writeFileAtomic } from '../host/atomic-file.ts';
import type { HostNode } from './directory.ts';

export interface StatCache {
  /** sha256 in hex of the node's file, if it is known not to have changed. */
  get(node: HostNode): string | undefined;
  /** Remembers what was read from the file. `since`: milliseconds since 1970, taken before reading began. */
  set(node: HostNode, sha256: string, since: number): void;
  /** Writes what was learnt, together with what other builds wrote meanwhile. Cheap if there is nothing new. */
  save(): void;
}

/** Name and version of the format. */
const MAGIC = Buffer.from('tsbuild-stat\0\0\0\x01', 'latin1');
/** device, inode, size, mtime, ctime: 8 bytes each, in the machine's own order. */
const KEY_BYTES = 40;
const DIGEST_BYTES = 32;
/** Then the day on which the file was last met, 4 bytes. */
const RECORD_BYTES = KEY_BYTES + DIGEST_BYTES + 4;

const DAY = 86_400_000;
const KEEP_DAYS = 30;
const MAX_RECORDS = 1_000_000;

/** The clock of Linux filesystems ticks every 10 ms at the slowest; those of FAT and of old NFS every 2 s. */
const TICK_NS = 50_000_000n;
const COARSE_TICK_NS = 2_500_000_000n;

interface CacheRecord {
  /** sha256 in hex. */
  readonly digest: string;
  readonly day: number;
}

/** The cache of the context directory `root`, in `directory`, which need not exist yet. */
export function openStatCache(
  directory: string,
  root: string,
  now: () => number = Date.now,
): StatCache {
  const { dev, ino } = fs.statSync(root, { bigint: true });
  const file = path.join(directory, `${dev.toString(16)}-${ino.toString(16)}.stat`);
  let known = readRecords(file);
  const fresh = new Map<string, CacheRecord>();
  const keyOf = keyMaker();
  const today = Math.floor(now() / DAY);

  return {
    get(node) {
      const key = keyOf(node);
      const news = fresh.size > 0 ? fresh.get(nameOf(key)) : undefined;
      const record = news ?? recordAt(known.bytes, known.find(key));
      // Written again once a day, so that what is in use is not forgotten.
      if (record !== undefined && record.day < today)
        fresh.set(nameOf(key), { ...record, day: today });
      return record?.digest;
    },
    set(node, sha256, since) {
      if (isRacy(node, since)) return;
      fresh.set(nameOf(keyOf(node)), { digest: sha256, day: today });
    },
    save() {
      if (fresh.size === 0) return;
      fs.mkdirSync(directory, { recursive: true });
      // A build that saves between this read and the rename loses its news, not its truth: a cache may forget.
      const merged = new Map(allRecords(readRecords(file).bytes));
      for (const [name, record] of fresh) merged.set(name, record);
      writeFileAtomic(file, encodeRecords(merged, today));
      known = readRecords(file);
      fresh.clear();
      sweep(directory, file, now());
    },
  };
}

/** Whether the file may be changed again after `since` without its ctime showing it. The mtime is anybody's to set. */
function isRacy({ identity: { ctime } }: HostNode, since: number): boolean {
  const tick = ctime % 1_000_000_000n === 0n ? COARSE_TICK_NS : TICK_NS;
  return ctime + tick > BigInt(Math.floor(since)) * 1_000_000n;
}

interface RecordKey {
  readonly bytes: Buffer;
  /** The same, to be compared quickly. */
  readonly words: Int32Array;
}

/** Makes the keys of records. Each is lent until the next. */
function keyMaker(): (node: HostNode) => RecordKey {
  const fields = new BigInt64Array(KEY_BYTES / 8);
  const key = { bytes: Buffer.from(fields.buffer), words: new Int32Array(fields.buffer) };
  return ({ size, mtime, identity: { device, inode, ctime } }) => {
    fields[0] = device;
    fields[1] = inode;
    fields[2] = BigInt(size);
    fields[3] = mtime;
    fields[4] = ctime;
    return key;
  };
}

/** A key as a string of bytes, so that a Map finds it. */
function nameOf({ bytes }: Pick<RecordKey, 'bytes'>): string {
  return bytes.toString('latin1');
}

interface RecordFile {
  readonly bytes: Buffer;
  /** Where the record of a key is; -1 if there is none. */
  find(key: RecordKey): number;
}

/** Files are met in the order in which they were met before, so the next record is tried before all are sorted by key. */
function readRecords(file: string): RecordFile {
  const bytes = readBytes(file);
  let positions: ReadonlyMap<string, number> | undefined;
  let next = MAGIC.length;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 4));
  const isNext = ({ words: key }: RecordKey): boolean => {
    if (next + RECORD_BYTES > bytes.length) return false;
    const start = next / 4;
    for (let n = 0; n < key.length; n += 1) if (words[start + n] !== key[n]) return false;
    return true;
  };
  return {
    bytes,
    find(key) {
      if (!isNext(key)) {
        positions ??= new Map(recordNames(bytes));
        const found = positions.get(nameOf(key));
        if (found === undefined) return -1;
        next = found;
      }
      next += RECORD_BYTES;
      return next - RECORD_BYTES;
    },
  };
}

const NO_RECORDS = Buffer.from(new ArrayBuffer(MAGIC.length));

function readBytes(file: string): Buffer {
  try {
    const bytes = fs.readFileSync(file);
    return bytes.subarray(0, MAGIC.length).equals(MAGIC) ? bytes : NO_RECORDS;
  } catch {
    return NO_RECORDS;
  }
}

function* recordNames(bytes: Buffer): Generator<[name: string, at: number]> {
  for (let at = MAGIC.length; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES)
    yield [nameOf({ bytes: bytes.subarray(at, at + KEY_BYTES) }), at];
}

function* allRecords(bytes: Buffer): Generator<[name: string, record: CacheRecord]> {
  for (const [name, at] of recordNames(bytes)) yield [name, recordAt(bytes, at)!];
}

function recordAt(bytes: Buffer, at: number): CacheRecord | undefined {
  if (at < 0) return undefined;
  const digestAt = at + KEY_BYTES;
  const dayAt = digestAt + DIGEST_BYTES;
  return { digest: bytes.toString('hex', digestAt, dayAt), day: bytes.readUInt32LE(dayAt) };
}

/** What was met lately; of too many, the latest. */
function encodeRecords(records: ReadonlyMap<string, CacheRecord>, today: number): Buffer {
  let kept = [...records].filter(([, record]) => record.day > today - KEEP_DAYS);
  if (kept.length > MAX_RECORDS) {
    kept = kept.sort(([, a], [, b]) => b.day - a.day).slice(0, MAX_RECORDS);
  }
  const bytes = Buffer.alloc(MAGIC.length + kept.length * RECORD_BYTES);
  MAGIC.copy(bytes);
  let at = MAGIC.length;
  for (const [key, { digest, day }] of kept) {
    bytes.write(key, at, 'latin1');
    bytes.write(digest, at + KEY_BYTES, 'hex');
    bytes.writeUInt32LE(day, at + KEY_BYTES + DIGEST_BYTES);
    at += RECORD_BYTES;
  }
  return bytes;
}

/** Forgets contexts that no build has used for long. */
function sweep(directory: string, own: string, now: number): void {
  for (const name of fs.readdirSync(directory)) {
    const file = path.join(directory, name);
    if (file === own) continue;
    const stat = name.endsWith('.stat') ? fs.statSync(file, { throwIfNoEntry: false }) : undefined;
    if (stat !== undefined && now - stat.mtimeMs > KEEP_DAYS * DAY)
      fs.rmSync(file, { force: true });
  }
}
