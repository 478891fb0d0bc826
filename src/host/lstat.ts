/**
 * lstat(2) for very many files, whose results are rows of numbers. Node makes some twenty objects for each file, which takes
 * longer than the kernel does; with statx(2) through koffi there is none. koffi takes 8 ms to load, so it is used from the
 * thousandth file on; where it is missing, Node goes on.
 */
import fs from 'node:fs';
import { loadKoffi } from './koffi.ts';
import { fsPath } from './path-bytes.ts';
import { major, makedev, minor } from './syscalls.ts';

export interface HostStat {
  /** With the type. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly size: number;
  readonly device: bigint;
  readonly inode: bigint;
  /** Nanoseconds since 1970, as the next. */
  readonly mtime: bigint;
  readonly ctime: bigint;
  /** Of a device node: which device it is. */
  readonly special: bigint;
}

export type Lstat = (path: string) => HostStat;

/** {@link ROW} words for each file, which {@link rowReader} takes apart. All zero where there is no file. */
export type StatRows = Uint32Array;

/** Words of a row: longs have two of them, the lower one first; times have seconds, a long, and nanoseconds. */
export const ROW = 18;
/** The word that tells what kind of file it is, and who may use it. */
export const MODE = 0;
const [LINKS, UID, GID, SIZE, INODE, DEVICE, SPECIAL, MTIME] = [1, 2, 3, 4, 6, 8, 10, 12];
/** The first word of when the file was changed last, in whatever way. */
export const CTIME = 15;

/** Reads what is at the path into the row with this number. */
export type ReadStat = (path: string, rows: StatRows, row: number) => void;

const MANY = 1000;

/** Each call fails as `fs.lstatSync` does. */
export function manyStats(): ReadStat {
  let count = 0;
  let read = readOfNode;
  return (path, rows, row) => {
    count += 1;
    if (count === MANY) read = readOfLinux() ?? readOfNode;
    read(path, rows, row);
  };
}

/** The same, as objects. */
export function lstatMany(): Lstat {
  const read = manyStats();
  const statAt = rowReader();
  const rows = new Uint32Array(ROW);
  return (path) => {
    read(path, rows, 0);
    return statAt(rows, 0);
  };
}

function readOfNode(path: string, rows: StatRows, row: number): void {
  putStat(fs.lstatSync(fsPath(path), { bigint: true }), rows, row);
}

/** Makes a row of what Node says. */
export function putStat(stat: fs.BigIntStats, rows: StatRows, row: number): void {
  const { mode, nlink, uid, gid, size, ino, dev, rdev, mtimeNs, ctimeNs } = stat;
  const words = [mode, nlink, uid, gid].map(Number);
  const devices = [dev, rdev].flatMap((device) => [major(device), minor(device)]);
  const times = [mtimeNs, ctimeNs].flatMap((time) => {
    const nanoseconds = ((time % SECOND) + SECOND) % SECOND;
    return [...long((time - nanoseconds) / SECOND), Number(nanoseconds)];
  });
  rows.set([...words, ...long(size), ...long(ino), ...devices, ...times], row * ROW);
}

function long(value: bigint): number[] {
  return [value, value >> 32n].map((half) => Number(half & 0xffff_ffffn));
}

/** Says what is in a row. */
export function rowReader(): (rows: StatRows, row: number) => HostStat {
  const deviceOf = deviceNumbers();
  const scratch = new BigInt64Array(1);
  const halves = new Uint32Array(scratch.buffer);
  const longAt = (rows: StatRows, at: number): bigint => {
    halves[0] = rows[at]!;
    halves[1] = rows[at + 1]!;
    return scratch[0]!;
  };
  return (rows, row) => {
    const at = row * ROW;
    return {
      mode: rows[at + MODE]!,
      uid: rows[at + UID]!,
      gid: rows[at + GID]!,
      links: rows[at + LINKS]!,
      size: rows[at + SIZE]! + rows[at + SIZE + 1]! * 2 ** 32,
      device: deviceOf(rows[at + DEVICE]!, rows[at + DEVICE + 1]!),
      inode: BigInt.asUintN(64, longAt(rows, at + INODE)),
      mtime: longAt(rows, at + MTIME) * SECOND + BigInt(rows[at + MTIME + 2]!),
      ctime: longAt(rows, at + CTIME) * SECOND + BigInt(rows[at + CTIME + 2]!),
      special: deviceOf(rows[at + SPECIAL]!, rows[at + SPECIAL + 1]!),
    };
  };
}

const SECOND = 1_000_000_000n;

/** {@link makedev} for numbers of which most are the same: zeros, or the disk's. */
function deviceNumbers(): (major: number, minor: number) => bigint {
  const known = new Map<number, bigint>();
  return (majorNumber, minorNumber) => {
    const key = majorNumber * 2 ** 20 + minorNumber;
    const device = known.get(key) ?? makedev(majorNumber, minorNumber);
    known.set(key, device);
    return device;
  };
}

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;
const STATX_BYTES = 256;
const STATX = 'int statx(int directory, str path, int flags, unsigned int mask, void *result)';

/** Words of `struct statx` (linux/stat.h) in the order of those of a row; of the mode's word, the upper half is none of it. */
const STATX_WORDS = [7, 4, 5, 6, 10, 11, 8, 9, 34, 35, 32, 33, 28, 29, 30, 24, 25, 26];

/** False if the call failed. */
type Statx = (
  ...args: [directory: number, path: string, flags: number, rows: StatRows, row: number]
) => boolean;

/** `undefined` without koffi, or with a C library before statx. */
function openStatx(): Statx | undefined {
  let statx: (...args: readonly unknown[]) => number;
  try {
    statx = loadKoffi().load(null).func(STATX);
  } catch {
    return undefined;
  }
  const result = Buffer.from(new ArrayBuffer(STATX_BYTES));
  const words = new Uint32Array(result.buffer);
  return (directory, path, flags, rows, row) => {
    if (statx(directory, path, flags, STATX_BASIC_STATS, result) !== 0) return false;
    const at = row * ROW;
    for (let word = 0; word < ROW; word += 1) rows[at + word] = words[STATX_WORDS[word]!]!;
    rows[at + MODE]! &= 0xffff;
    return true;
  };
}

function readOfLinux(): ReadStat | undefined {
  const statx = openStatx();
  if (statx === undefined) return undefined;
  return (path, rows, row) => {
    const isPlain = path.isWellFormed() && !path.includes('\0');
    // Of a failure, Node makes the error.
    if (!isPlain || !statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, rows, row))
      readOfNode(path, rows, row);
  };
}

/** fstat(2), the same for open files: quick from the first on if there will be many. Fails as `fs.fstatSync` does. */
export function fstatMany(count: number): (fd: number) => HostStat {
  const statx = count < FEW ? undefined : openStatx();
  const statAt = rowReader();
  const rows = new Uint32Array(ROW);
  return (fd) => {
    if (!statx?.(fd, '', AT_EMPTY_PATH, rows, 0))
      putStat(fs.fstatSync(fd, { bigint: true }), rows, 0);
    return statAt(rows, 0);
  };
}

/** Where to load koffi takes longer than it saves. */
const FEW = 100;
