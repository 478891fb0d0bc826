import fs from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hostStat, type Lstat, lstatMany } from '../../src/host/lstat.ts';
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

test('what is said of the files after a thousand is what node:fs says of them', () => {
  const lstat = quickLstat();
  for (const file of [...files(), '/dev/null', '/proc/self'])
    expect(lstat(file)).toEqual(hostStat(fs.lstatSync(fsPath(file), { bigint: true })));
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
