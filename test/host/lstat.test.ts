import fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fstatMany, type HostStat, type Lstat, lstatMany } from '../../src/host/lstat.ts';
import { decodeName, fsPath } from '../../src/host/path-bytes.ts';
import { makedev, mknod, S_IFCHR, S_IFIFO, utimens } from '../../src/host/syscalls.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

/** Has looked at so many files that it is the quick one. */
function quickLstat(): Lstat {
  const lstat = lstatMany();
  for (let n = 0; n < 1000; n += 1) lstat('/');
  return lstat;
}

/** One file of each kind. */
function files(): string[] {
  const directory = tempDirectory();
  const at = (name: string) => join(directory, name);
  fs.writeFileSync(at('file'), 'content');
  fs.linkSync(at('file'), at('second-name'));
  fs.chmodSync(at('file'), 0o4711);
  fs.chownSync(at('file'), 1000, 4_000_000_000);
  fs.mkdirSync(at('directory'));
  fs.symlinkSync('nowhere', at('link'));
  mknod(at('fifo'), S_IFIFO | 0o600);
  mknod(at('device'), S_IFCHR | 0o600, makedev(300, 70_000));
  fs.writeFileSync(at('sparse'), '');
  fs.truncateSync(at('sparse'), 2 ** 33 + 1);
  fs.writeFileSync(at('early'), '');
  utimens(at('early'), -5, 999_999_999);
  const bytes = Buffer.from(`${directory}/\xff`, 'latin1');
  fs.writeFileSync(bytes, '');
  return [
    ...fs
      .readdirSync(directory)
      .filter((name) => !name.includes('\ufffd'))
      .map(at),
    decodeName(bytes),
  ];
}

function statOfNode(file: string): HostStat {
  const stat = fs.lstatSync(fsPath(file), { bigint: true });
  const [mode, uid, gid] = [stat.mode, stat.uid, stat.gid].map(Number);
  return {
    ...{ mode: mode!, uid: uid!, gid: gid! },
    links: Number(stat.nlink),
    size: Number(stat.size),
    device: stat.dev,
    inode: stat.ino,
    mtime: stat.mtimeNs,
    ctime: stat.ctimeNs,
    special: stat.rdev,
  };
}

test.each([
  ['first', lstatMany],
  ['later', quickLstat],
])('what is said of the %s files is what node:fs says of them', (_which, create) => {
  const lstat = create();
  for (const file of [...files(), '/dev/null', '/proc/self'])
    expect(lstat(file)).toEqual(statOfNode(file));
});

test.each(['/no/such/file', '/etc/passwd/below', '/a\0b'])('%j fails as with node:fs', (file) => {
  const failure = (lstat: (file: string) => unknown): unknown => {
    try {
      return lstat(file);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
  };
  expect(failure(quickLstat())).toBe(failure((path) => fs.lstatSync(path)));
});

test.each([
  ['few', 1],
  ['many', 1000],
])('of %s open files the same is said', (_which, count) => {
  const fstat = fstatMany(count);
  for (const file of [...files(), '/dev/null']) {
    if (!fs.lstatSync(fsPath(file)).isFile()) continue;
    const fd = fs.openSync(fsPath(file), 'r');
    expect(fstat(fd)).toEqual(statOfNode(file));
    fs.closeSync(fd);
    expect(() => fstat(fd)).toThrow('EBADF');
  }
});
