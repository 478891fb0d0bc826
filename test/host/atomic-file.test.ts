import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { writeFileAtomic } from '../../src/host/atomic-file.ts';
import { compileScript } from '../helpers/script.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

test('writeFileAtomic writes and replaces, and leaves nothing else', () => {
  const directory = tempDirectory();
  const file = path.join(directory, 'file');
  writeFileAtomic(file, 'one', { mode: 0o600 });
  writeFileAtomic(file, Buffer.from('two'), { mode: 0o600, durable: true });
  expect(fs.readFileSync(file, 'utf8')).toBe('two');
  expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  expect(fs.readdirSync(directory)).toEqual(['file']);
});

test('writeFileAtomic leaves nothing when it fails', () => {
  const directory = tempDirectory();
  fs.mkdirSync(path.join(directory, 'taken/by-a-directory'), { recursive: true });
  expect(() => writeFileAtomic(path.join(directory, 'taken'), 'x')).toThrow(
    expect.objectContaining({ syscall: 'rename' }),
  );
  expect(fs.readdirSync(directory)).toEqual(['taken']);
});

test('writeFileAtomic replaces a symlink instead of writing through it', () => {
  const directory = tempDirectory();
  fs.writeFileSync(path.join(directory, 'target'), 'old');
  fs.symlinkSync('target', path.join(directory, 'link'));
  writeFileAtomic(path.join(directory, 'link'), 'new');
  expect(fs.readFileSync(path.join(directory, 'target'), 'utf8')).toBe('old');
  expect(fs.lstatSync(path.join(directory, 'link')).isFile()).toBe(true);
});

test('a file is whole at any moment, whoever writes it and dies', async () => {
  const directory = tempDirectory();
  const file = path.join(directory, 'shared');
  writeFileAtomic(file, 'a'.repeat(100_000));
  const script = compileScript(
    directory,
    `import { writeFileAtomic } from '#src/host/atomic-file.ts';
     const [file, letter] = process.argv.slice(2);
     console.log('ready');
     for (;;) writeFileAtomic(file, letter.repeat(100_000));`,
  );
  const writers = ['b', 'c', 'd'].map((letter) => script.start(file, letter));
  await Promise.all(writers.map((writer) => writer.line()));
  for (const writer of writers) {
    for (let i = 0; i < 100; i++) expect(fs.readFileSync(file, 'latin1')).toMatch(/^(.)\1{99999}$/);
    await writer.kill();
  }
  expect(fs.readFileSync(file, 'latin1')).toMatch(/^(.)\1{99999}$/);
});
