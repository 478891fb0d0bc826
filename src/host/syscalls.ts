/**
 * The few calls of Linux that Node does not have: mounting, extended attributes, device nodes, times in nanoseconds.
 * They go to the C library through koffi, a native module that takes some 8 ms to load: the first call loads it, so
 * a build without RUN, of fewer files than lstat.ts counts, never does. A call costs about a microsecond.
 *
 * All are synchronous, and none but mount and umount follows a symlink in the last component of its path. A failure
 * is an Error like those of node:fs: `code` is the name of the errno (`EPERM`), beside `errno`, `syscall` and
 * `path`.
 */
import { constants } from 'node:os';
import { type Library, loadKoffi } from './koffi.ts';
import { lazily } from './lazily.ts';

/** Flags of mount(2), see linux/mount.h. */
export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
export const MS_REMOUNT = 32;
export const MS_BIND = 4096;
export const MS_MOVE = 8192;
export const MS_REC = 16384;
export const MS_PRIVATE = 1 << 18;
export const MS_SLAVE = 1 << 19;
export const MS_SHARED = 1 << 20;

/** Flags of umount2(2). */
export const MNT_FORCE = 1;
export const MNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;

/** Namespaces of unshare(2) and setns(2), see linux/sched.h. */
export const CLONE_NEWNS = 0x00020000;
export const CLONE_NEWPID = 0x20000000;

/** Options of prctl(2). */
export const PR_SET_PDEATHSIG = 1;
export const PR_SET_DUMPABLE = 4;
export const PR_SET_CHILD_SUBREAPER = 36;
export const PR_SET_NO_NEW_PRIVS = 38;

/** File types of mknod(2), to be combined with permission bits. */
export const S_IFIFO = 0o010000;
export const S_IFCHR = 0o020000;
export const S_IFBLK = 0o060000;
export const S_IFSOCK = 0o140000;

/** A path in UTF-8, or its bytes (see path-bytes.ts). */
export type SyscallPath = string | Buffer;

/** mount(2). For what `source`, `fstype` and `data` do not matter, '' will do. */
export function mount(
  source: SyscallPath,
  target: SyscallPath,
  fstype: string,
  flags: number,
  data: SyscallPath = '',
): void {
  check(
    'mount',
    target,
    libc().mount(cString(source), cString(target), cString(fstype), flags, cString(data)),
  );
}

/** umount2(2). */
export function umount(target: SyscallPath, flags = 0): void {
  check('umount2', target, libc().umount2(cString(target), flags));
}

/** The value of an extended attribute; `undefined` if there is none, or the filesystem knows none. */
export function lgetxattr(path: SyscallPath, name: SyscallPath): Buffer | undefined {
  const { lgetxattr, errno, scratch } = libc();
  const length = lgetxattr(cString(path), cString(name), scratch, scratch.length);
  if (length < 0 && (errno() === ENODATA || errno() === ENOTSUP)) return undefined;
  return Buffer.from(scratch.subarray(0, check('lgetxattr', path, length)));
}

/** The names of all extended attributes that this process may see; empty if the filesystem knows none. */
export function llistxattr(path: SyscallPath): string[] {
  const { llistxattr, errno, scratch } = libc();
  const length = llistxattr(cString(path), scratch, scratch.length);
  if (length === 0 || (length < 0 && errno() === ENOTSUP)) return [];
  return scratch.toString('utf8', 0, check('llistxattr', path, length) - 1).split('\0');
}

export function lsetxattr(path: SyscallPath, name: SyscallPath, value: Uint8Array): void {
  check('lsetxattr', path, libc().lsetxattr(cString(path), cString(name), value, value.length, 0));
}

export function lremovexattr(path: SyscallPath, name: SyscallPath): void {
  check('lremovexattr', path, libc().lremovexattr(cString(path), cString(name)));
}

/**
 * `mode` is a file type and permission bits, of which the umask takes its share; `device` is from {@link makedev}.
 */
export function mknod(path: SyscallPath, mode: number, device: number | bigint = 0): void {
  check('mknod', path, libc().mknod(cString(path), mode, device));
}

/** A pipe, of which no child inherits anything but what it is given. */
export function pipe(): { readonly reading: number; readonly writing: number } {
  const ends = new Int32Array(2);
  check('pipe2', undefined, libc().pipe2(ends, O_CLOEXEC));
  return { reading: ends[0]!, writing: ends[1]! };
}

export function lchown(path: SyscallPath, uid: number, gid: number): void {
  check('lchown', path, libc().lchown(cString(path), uid, gid));
}

/** Sets access and modification time, both to the same. */
export function utimens(path: SyscallPath, seconds: number | bigint, nanoseconds: number): void {
  const { utimensat, times } = libc();
  times[0] = times[2] = BigInt(seconds);
  times[1] = times[3] = BigInt(nanoseconds);
  check('utimensat', path, utimensat(AT_FDCWD, cString(path), times, AT_SYMLINK_NOFOLLOW));
}

export function prctl(option: number, arg: number): number {
  return check('prctl', undefined, libc().prctl(option, arg, 0, 0, 0));
}

/** unshare(2), of the calling thread; threads and processes that it starts afterwards are in the same. */
export function unshare(flags: number): void {
  check('unshare', undefined, libc().unshare(flags));
}

/** setns(2), of the calling thread. */
export function setns(fd: number, flags: number): void {
  check('setns', undefined, libc().setns(fd, flags));
}

/**
 * Where the next bytes are from `offset` on that are not in a hole, by lseek(2) with SEEK_DATA; `undefined` if there are none.
 * Moves the file's own position.
 */
export function seekData(fd: number, offset: number): number | undefined {
  const { lseek, errno } = libc();
  const found = lseek(fd, offset, SEEK_DATA);
  if (found < 0 && errno() === ENXIO) return undefined;
  return check('lseek', undefined, found);
}

/** Operations of flock(2). */
export const LOCK_SH = 1;
export const LOCK_EX = 2;
const LOCK_NB = 4;

/** flock(2) without waiting: fails with `EAGAIN` instead. */
export function flockNow(fd: number, operation: number): void {
  check('flock', undefined, libc().flock(fd, operation | LOCK_NB));
}

/** ioctl(2) with a structure, or with a number; the answer is what the request says. */
export function ioctl(fd: number, request: number, argument: Uint8Array | number = 0): number {
  const { ioctl, ioctlNumber } = libc();
  const call = typeof argument === 'number' ? ioctlNumber : ioctl;
  return check('ioctl', undefined, call(fd, request, argument));
}

/** The number of a device as the C library writes it: 12 bits of major and 8 of minor as ever, the rest above. */
export function makedev(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return (
    ((high & 0xfffff000n) << 32n) |
    ((high & 0xfffn) << 8n) |
    ((low & 0xffffff00n) << 12n) |
    (low & 0xffn)
  );
}

export function major(device: number | bigint): number {
  const number = BigInt(device);
  return Number(((number >> 32n) & 0xfffff000n) | ((number >> 8n) & 0xfffn));
}

export function minor(device: number | bigint): number {
  const number = BigInt(device);
  return Number(((number >> 12n) & 0xffffff00n) | (number & 0xffn));
}

const { ENODATA, ENOTSUP, ENXIO } = constants.errno;
const SEEK_DATA = 3;
const AT_FDCWD = -100;
const O_CLOEXEC = 0o2000000;
const AT_SYMLINK_NOFOLLOW = 0x100;
/** XATTR_SIZE_MAX and XATTR_LIST_MAX of linux/limits.h: no value and no list is longer. */
const XATTR_MAX = 65536;

type Call = (...args: readonly unknown[]) => number;
interface LibC extends Record<keyof typeof SIGNATURES, Call> {
  readonly mknod: Call;
  readonly errno: () => number;
  readonly scratch: Buffer;
  /** Two `struct timespec` of a 64-bit host. */
  readonly times: BigInt64Array;
}

const SIGNATURES = {
  mount: 'int mount(void *source, void *target, void *type, unsigned long flags, void *data)',
  umount2: 'int umount2(void *target, int flags)',
  lgetxattr: 'long lgetxattr(void *path, void *name, void *value, size_t size)',
  llistxattr: 'long llistxattr(void *path, void *list, size_t size)',
  lsetxattr: 'int lsetxattr(void *path, void *name, void *value, size_t size, int flags)',
  lremovexattr: 'int lremovexattr(void *path, void *name)',
  pipe2: 'int pipe2(void *ends, int flags)',
  lchown: 'int lchown(void *path, unsigned int uid, unsigned int gid)',
  utimensat: 'int utimensat(int directory, void *path, void *times, int flags)',
  flock: 'int flock(int fd, int operation)',
  lseek: 'int64_t lseek(int fd, int64_t offset, int whence)',
  unshare: 'int unshare(int flags)',
  setns: 'int setns(int fd, int flags)',
  ioctl: 'int ioctl(int fd, unsigned long request, void *argument)',
  ioctlNumber: 'int ioctl(int fd, unsigned long request, unsigned long argument)',
  prctl:
    'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
} as const;

const libc = lazily((): LibC => {
  const koffi = loadKoffi();
  const library = koffi.load(null);
  const calls = Object.entries(SIGNATURES).map(([name, signature]) => [
    name,
    library.func(signature),
  ]);
  return {
    ...(Object.fromEntries(calls) as Record<keyof typeof SIGNATURES, Call>),
    mknod: bindMknod(library),
    errno: () => koffi.errno(),
    scratch: Buffer.alloc(XATTR_MAX),
    times: new BigInt64Array(4),
  };
});

/** Before version 2.33 of glibc, mknod was an inline function around another (Debian 11, RHEL 8, Ubuntu 20.04). */
function bindMknod(library: Library): Call {
  try {
    return library.func('int mknod(void *path, unsigned int mode, uint64_t device)');
  } catch {
    const xmknod = library.func(
      'int __xmknod(int version, void *path, unsigned int mode, void *device)',
    );
    return (path, mode, device) =>
      xmknod(0, path, mode, BigUint64Array.of(BigInt(device as number | bigint)));
  }
}

/** A C string. A NUL inside would cut it short, and name another file than was meant. */
function cString(text: SyscallPath): Buffer {
  if (text.includes('\0')) throw new TypeError(`a NUL byte in ${JSON.stringify(text.toString())}`);
  return typeof text === 'string' ? Buffer.from(`${text}\0`, 'utf8') : Buffer.concat([text, NUL]);
}

const NUL = Buffer.alloc(1);

/** Passes the result of a call on, or throws what it failed with. */
function check(syscall: string, path: SyscallPath | undefined, result: number): number {
  if (result >= 0) return result;
  const errno = libc().errno();
  const code = ERRNO_NAMES.get(errno) ?? `E${errno}`;
  const object = path === undefined ? '' : ` '${path}'`;
  throw Object.assign(new Error(`${code}: ${syscall}${object}`), {
    code,
    errno: -errno,
    syscall,
    ...(path === undefined ? {} : { path: path.toString() }),
  });
}

/** Where two names share a number (EAGAIN, EWOULDBLOCK), the first is meant. */
const ERRNO_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno)
    .map(([name, number]) => [number, name] as const)
    .reverse(),
);
