/**
 * What files contained when they were last read: (device, inode, size, mtime, ctime) → sha256. A file whose five numbers
 * are the same has the same bytes, so a build in which nothing changed reads no file.
 *
 * The one hole is a file changed twice within a tick of the filesystem's clock: the second change need not show. So, as
 * git does (https://git-scm.com/docs/racy-git), what was changed a moment before it was hashed is not remembered; the
 * next build reads it once more.
 *
 * One file for each context, found by the directory's inode and birth, so that it survives a rename. Fixed-width records after a
 * header: 20,000 of them are read in a few milliseconds. A damaged or missing file is an empty cache, never an error.
 */
import fs from 'node:fs';
import path from 'node:path';
import { writeFileAtomic } from '../host/atomic-file.ts';
import type { HostNode } from './directory.ts';

export interface StatCache {
  /** sha256 in hex of the node's file, if it is known from what was saved not to have changed. */
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
const DIGEST_AT = KEY_BYTES;
/** Then the day on which the file was last met, 4 bytes. */
const DAY_AT = DIGEST_AT + DIGEST_BYTES;
const RECORD_BYTES = DAY_AT + 4;

const DAY = 86_400_000;
const KEEP_DAYS = 30;
const MAX_RECORDS = 1_000_000;

/** The clock of Linux filesystems ticks every 10 ms at the slowest; those of FAT and of old NFS every 2 s. */
const TICK_MS = 50;
const COARSE_TICK_MS = 2500;

/**
 * The same after a rename; and another one's number comes with another time of birth, so that a directory made in the place of
 * one that is gone does not get its records, of which there may be very many.
 */
function nameOfDirectory(directory: string): string {
  const { dev, ino, birthtimeNs } = fs.statSync(directory, { bigint: true });
  return [dev, ino, birthtimeNs].map((number) => number.toString(16)).join('-');
}

/** Milliseconds since 1970, from which on a change would give the file another ctime than this. The mtime is anybody's to set. */
export function settledAt(seconds: number, nanoseconds: number): number {
  const tick = nanoseconds === 0 ? COARSE_TICK_MS : TICK_MS;
  return seconds * 1000 + nanoseconds / 1e6 + tick;
}

/** The cache of the context directory `root`, in `directory`, which need not exist yet. */
export function openStatCache(
  directory: string,
  root: string,
  now: () => number = Date.now,
): StatCache {
  const file = path.join(directory, `${nameOfDirectory(root)}.stat`);
  let records: RecordFile | undefined;
  const known = () => (records ??= readRecords(file));
  // Not looked into: who asks again before it is saved has the answer in the node.
  let learnt = recordWriter();
  const keyOf = keyMaker();
  const today = Math.floor(now() / DAY);

  return {
    get(node) {
      const key = keyOf(node);
      const { bytes, find } = known();
      const at = find(key);
      if (at < 0) return undefined;
      const digest = bytes.toString('hex', at + DIGEST_AT, at + DAY_AT);
      // Written again once a day, so that what is in use is not forgotten.
      if (dayAt(bytes, at) < today) learnt.add(key, digest, today);
      return digest;
    },
    set(node, sha256, since) {
      if (!isRacy(node, since)) learnt.add(keyOf(node), sha256, today);
    },
    save() {
      const news = learnt.records();
      if (news.length === 0) return;
      fs.mkdirSync(directory, { recursive: true });
      // A build that saves between this read and the rename loses its news, not its truth: a cache may forget.
      writeFileAtomic(file, withNews(readBytes(file), news, today));
      records = undefined;
      learnt = recordWriter();
      sweep(directory, file, now());
    },
  };
}

/** Whether the file may be changed again after `since` without its ctime showing it. */
function isRacy({ identity: { ctime } }: HostNode, since: number): boolean {
  return settledAt(Number(ctime / 1_000_000_000n), Number(ctime % 1_000_000_000n)) > since;
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
function nameOf(bytes: Buffer, at = 0): string {
  return bytes.toString('latin1', at, at + KEY_BYTES);
}

function dayAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + DAY_AT);
}

/** Puts records one behind the other, as the file has them: as objects, they would take several times the memory. */
function recordWriter() {
  let bytes = Buffer.alloc(0);
  let end = 0;
  return {
    add({ bytes: key }: RecordKey, digest: string, day: number): void {
      if (end === bytes.length) {
        const larger = Buffer.alloc(Math.max(64 * RECORD_BYTES, 2 * end));
        bytes.copy(larger);
        bytes = larger;
      }
      key.copy(bytes, end);
      bytes.write(digest, end + DIGEST_AT, 'hex');
      bytes.writeUInt32LE(day, end + DAY_AT);
      end += RECORD_BYTES;
    },
    records: () => bytes.subarray(0, end),
  };
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
        positions ??= new Map(recordNames(bytes, MAGIC.length));
        const found = positions.get(nameOf(key.bytes));
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

function* recordNames(bytes: Buffer, start: number): Generator<[name: string, at: number]> {
  for (let at = start; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES)
    yield [nameOf(bytes, at), at];
}

/** A file with what was met lately, the latest last; of too many records, the latest. */
function withNews(file: Buffer, news: Buffer, today: number): Buffer {
  const names = new Set<string>();
  for (const [name] of recordNames(news, 0)) names.add(name);
  const merged = Buffer.alloc(file.length + news.length);
  let end = MAGIC.copy(merged);
  for (const [name, at] of recordNames(file, MAGIC.length)) {
    if (dayAt(file, at) > today - KEEP_DAYS && !names.has(name))
      end += file.copy(merged, end, at, at + RECORD_BYTES);
  }
  end += news.copy(merged, end);
  const start = Math.max(MAGIC.length, end - MAX_RECORDS * RECORD_BYTES);
  MAGIC.copy(merged, start - MAGIC.length);
  return merged.subarray(start - MAGIC.length, end);
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
