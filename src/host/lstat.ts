/**
 * lstat(2) for very many files. Node makes some twenty objects for each, which takes longer than the kernel does; with
 * statx(2) through koffi there are a handful. koffi takes 8 ms to load, so it is used from the thousandth file on; where it
 * is missing, Node goes on.
 */
import fs from 'node:fs';
import { loadKoffi } from './koffi.ts';
import { fsPath } from './path-bytes.ts';
import { makedev } from './syscalls.ts';

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

const MANY = 1000;

/** Each call fails as `fs.lstatSync` does. */
export function lstatMany(): Lstat {
  let count = 0;
  let lstat = lstatOfNode;
  return (path) => {
    count += 1;
    if (count === MANY) lstat = lstatOfLinux() ?? lstatOfNode;
    return lstat(path);
  };
}

function lstatOfNode(path: string): HostStat {
  return hostStat(fs.lstatSync(fsPath(path), { bigint: true }));
}

export function hostStat(stat: fs.BigIntStats): HostStat {
  return {
    mode: Number(stat.mode),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    links: Number(stat.nlink),
    size: Number(stat.size),
    device: stat.dev,
    inode: stat.ino,
    mtime: stat.mtimeNs,
    ctime: stat.ctimeNs,
    special: stat.rdev,
  };
}

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const STATX_BASIC_STATS = 0x7ff;
const STATX_BYTES = 256;
const STATX = 'int statx(int directory, str path, int flags, unsigned int mask, void *result)';

/** `undefined` without koffi, or with a C library before statx. */
function lstatOfLinux(): Lstat | undefined {
  let statx: (...args: readonly unknown[]) => number;
  try {
    statx = loadKoffi().load(null).func(STATX);
  } catch {
    return undefined;
  }
  const result = Buffer.from(new ArrayBuffer(STATX_BYTES));
  const read = statxReader(result.buffer as ArrayBuffer);
  return (path) => {
    const isPlain = path.isWellFormed() && !path.includes('\0');
    const failed =
      !isPlain || statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, result) !== 0;
    // Node makes the error of it.
    return failed ? lstatOfNode(path) : read();
  };
}

/** Fields of `struct statx` (linux/stat.h), by the byte at which they are. */
function statxReader(buffer: ArrayBuffer): () => HostStat {
  const shorts = new Uint16Array(buffer);
  const words = new Uint32Array(buffer);
  const longs = new BigInt64Array(buffer);
  const deviceOf = deviceNumbers();
  return () => ({
    mode: shorts[28 / 2]!,
    uid: words[20 / 4]!,
    gid: words[24 / 4]!,
    links: words[16 / 4]!,
    size: words[40 / 4]! + words[44 / 4]! * 2 ** 32,
    device: deviceOf(words[136 / 4]!, words[140 / 4]!),
    inode: BigInt.asUintN(64, longs[32 / 8]!),
    mtime: longs[112 / 8]! * SECOND + BigInt(words[120 / 4]!),
    ctime: longs[96 / 8]! * SECOND + BigInt(words[104 / 4]!),
    special: deviceOf(words[128 / 4]!, words[132 / 4]!),
  });
}

const SECOND = 1_000_000_000n;

/** {@link makedev} for numbers of which most are the same: zeros, or the disk's. */
function deviceNumbers(): (major: number, minor: number) => bigint {
  const known = new Map<number, bigint>();
  return (major, minor) => {
    const key = major * 2 ** 20 + minor;
    const device = known.get(key) ?? makedev(major, minor);
    known.set(key, device);
    return device;
  };
}
