import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { expandSparse } from '../../src/tar/expand-sparse.ts';
import { scanTar } from '../../src/tar/scan.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

test.each([
  ['old GNU', ['--format=gnu']],
  ['PAX 0.0', ['--format=pax', '--sparse-version=0.0']],
  ['PAX 0.1', ['--format=pax', '--sparse-version=0.1']],
  ['PAX 1.0', ['--format=pax', '--sparse-version=1.0']],
])('a sparse file of GNU tar comes back whole: %s', (_, args) => {
  const directory = tempDirectory();
  const fd = openSync(join(directory, 'holes'), 'w');
  for (let i = 1; i < 40; i += 1)
    writeSync(fd, Buffer.alloc(4096, `${i}.`), 0, 4096, i * 1_048_576);
  ftruncateSync(fd, 50_000_000);
  closeSync(fd);
  execFileSync('tar', [...args, '--sparse', '-cf', 'a.tar', 'holes'], { cwd: directory });
  const archive = join(directory, 'a.tar');
  expect(statSync(archive).size).toBeLessThan(500_000);
  const [entry] = [...scanTar(archive)];
  expect(entry).toMatchObject({ name: 'holes', size: 50_000_000 });
  expandSparse(archive, entry!, join(directory, 'whole'));
  expect(
    readFileSync(join(directory, 'whole')).equals(readFileSync(join(directory, 'holes'))),
  ).toBe(true);
});
