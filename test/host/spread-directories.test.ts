import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { spreadDirectories } from '../../src/host/spread-directories.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const EXT4 = 0xef53;

test('directories are spread where the filesystem does that', () => {
  const directory = tempDirectory();
  spreadDirectories(directory);
  spreadDirectories(directory);
  // Others may not have the flags that lsattr asks for.
  if (statfsSync(directory).type === EXT4) {
    const [flags] = execFileSync('lsattr', ['-d', directory], { encoding: 'utf8' }).split(' ');
    expect(flags).toContain('T');
  }
});

test('other filesystems are left alone, and what does not exist', () => {
  const directory = mkdtempSync('/dev/shm/tsbuild-test-');
  onTestFinished(() => rmSync(directory, { recursive: true }));
  spreadDirectories(directory);
  spreadDirectories(join(directory, 'none'));
});
