import { execFileSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  lchown,
  lgetxattr,
  llistxattr,
  lremovexattr,
  lsetxattr,
  major,
  makedev,
  minor,
  mknod,
  mount,
  PR_SET_DUMPABLE,
  prctl,
  S_IFCHR,
  S_IFIFO,
  seekData,
  umount,
  utimens,
} from '../../src/host/syscalls.ts';

const require = createRequire(import.meta.url);
const isKoffiLoaded = () => Object.keys(require.cache).some((module) => module.includes('koffi'));
const loadedByImport = isKoffiLoaded();

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'syscalls-'));
  file = join(directory, 'file');
  writeFileSync(file, 'x');
});
afterEach(() => rmSync(directory, { recursive: true }));

describe('system calls', () => {
  it('load koffi with the first call and not before', () => {
    expect(loadedByImport).toBe(false);
    llistxattr(file);
    expect(isKoffiLoaded()).toBe(true);
  });

  it('report the errno by name, with call and path', () => {
    const missing = join(directory, 'missing');
    expect(() => umount(missing)).toThrowError(
      expect.objectContaining({ code: 'ENOENT', errno: -2, syscall: 'umount2', path: missing }),
    );
    expect(() => mount('none', directory, 'no-such-filesystem', 0)).toThrowError(
      expect.objectContaining({ code: 'ENODEV', syscall: 'mount' }),
    );
  });

  it('refuse a NUL byte rather than name another file', () => {
    expect(() => lgetxattr(`${file}\0.txt`, 'user.x')).toThrow(TypeError);
  });

  it('take paths as bytes', () => {
    const path = Buffer.concat([Buffer.from(`${directory}/`), Buffer.of(0xff, 0xfe)]);
    mknod(path, S_IFIFO | 0o600);
    expect(lstatSync(path).isFIFO()).toBe(true);
  });
});

describe('extended attributes', () => {
  it.each([
    ['binary', Buffer.from([0, 255, 128, 10, 0])],
    ['empty', Buffer.alloc(0)],
    ['longer than a first guess', Buffer.alloc(3000, 7)],
  ])('come back as they were set: %s', (_, value) => {
    lsetxattr(file, 'user.test', value);
    expect(lgetxattr(file, 'user.test')).toEqual(value);
    expect(llistxattr(file)).toEqual(['user.test']);
    lremovexattr(file, 'user.test');
    expect(llistxattr(file)).toEqual([]);
  });

  it('are undefined when absent', () => {
    expect(lgetxattr(file, 'user.none')).toBeUndefined();
    expect(lgetxattr('/proc/self/status', 'user.none')).toBeUndefined();
    expect(llistxattr(file)).toEqual([]);
  });

  it('are those of a symlink, not of what it names', () => {
    const link = join(directory, 'link');
    symlinkSync('file', link);
    lsetxattr(link, 'trusted.test', Buffer.from('link'));
    expect(llistxattr(file)).toEqual([]);
    expect(lgetxattr(link, 'trusted.test')?.toString()).toBe('link');
  });

  it('fail when set under a name without a namespace', () => {
    expect(() => lsetxattr(file, 'nonsense', Buffer.of(1))).toThrowError(
      expect.objectContaining({ code: expect.stringMatching(/^E(OPNOTSUPP|NOTSUP)$/) }),
    );
  });
});

describe('nodes and their attributes', () => {
  it.each([
    [0, 0],
    [1, 3],
    [8, 255],
    [259, 65_537],
    [0xfff, 0xfffff],
  ])('device %i:%i is made and read back', (high, low) => {
    const device = makedev(high, low);
    expect([major(device), minor(device)]).toEqual([high, low]);
    const path = join(directory, 'device');
    mknod(path, S_IFCHR | 0o600, device);
    const { rdev } = lstatSync(path, { bigint: true });
    expect([major(rdev), minor(rdev)]).toEqual([high, low]);
  });

  it('a device number of more than 32 bits survives the arithmetic', () => {
    const device = makedev(0xfffff001, 0xfffffff2);
    expect([major(device), minor(device)]).toEqual([0xfffff001, 0xfffffff2]);
  });

  it('owner and time are those of a symlink, to the nanosecond', () => {
    const link = join(directory, 'link');
    symlinkSync('missing', link);
    lchown(link, 12345, 4_000_000_000);
    utimens(link, 1_700_000_000n, 123_456_789);
    const stat = lstatSync(link, { bigint: true });
    expect([stat.uid, stat.gid, stat.mtimeNs]).toEqual([
      12345n,
      4_000_000_000n,
      1_700_000_000_123_456_789n,
    ]);
  });

  it('times before 1970 are set', () => {
    utimens(file, -2, 5);
    expect(lstatSync(file, { bigint: true }).mtimeNs).toBe(-1_999_999_995n);
  });
});

it('where bytes are between holes', () => {
  const fd = openSync(file, 'r+');
  try {
    ftruncateSync(fd, 2 ** 40);
    writeSync(fd, 'x', 2 ** 33);
    const found = seekData(fd, 2 ** 20);
    expect(found).toBeGreaterThan(2 ** 33 - 2 ** 20);
    expect(found).toBeLessThanOrEqual(2 ** 33);
    expect(seekData(fd, 2 ** 33)).toBe(2 ** 33);
    expect(seekData(fd, 2 ** 34)).toBeUndefined();
  } finally {
    closeSync(fd);
  }
  expect(() => seekData(-1, 0)).toThrowError(expect.objectContaining({ code: 'EBADF' }));
});

describe('mount and umount', () => {
  it('put a filesystem in place and take it away', () => {
    mount('tmpfs', directory, 'tmpfs', 0, 'size=64k,mode=700');
    try {
      expect(execFileSync('stat', ['-f', '-c', '%T', directory], { encoding: 'utf8' }).trim()).toBe(
        'tmpfs',
      );
    } finally {
      umount(directory);
    }
    expect(readFileSync(file, 'utf8')).toBe('x');
  });

  it('prctl passes its argument and answers', () => {
    expect(prctl(PR_SET_DUMPABLE, 1)).toBe(0);
    expect(() => prctl(PR_SET_DUMPABLE, 77)).toThrowError(
      expect.objectContaining({ code: 'EINVAL' }),
    );
  });
});
