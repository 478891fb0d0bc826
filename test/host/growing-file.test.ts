import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { growingFile } from '../../src/host/growing-file.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

async function text(source: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test('readers get what comes, whenever they start, and again from the beginning', async () => {
  const path = join(tempDirectory(), 'file');
  using file = growingFile(path);
  const early = text(file.read());
  writeFileSync(path, 'one ');
  file.grown(4);
  const middle = text(file.read());
  appendFileSync(path, 'two, and what nobody has been told of');
  file.grown(7);
  renameSync(path, `${path}-renamed`);
  file.end();
  expect(await Promise.all([early, middle, text(file.read())])).toEqual(Array(3).fill('one two'));
});

test('a failure of the writer is one of the readers', async () => {
  const path = join(tempDirectory(), 'file');
  using file = growingFile(path);
  writeFileSync(path, 'some');
  file.grown(4);
  const reading = text(file.read());
  const why = new Error('the disk is full');
  file.end(why);
  await expect(reading).rejects.toBe(why);
});

test('a file that never came to be ends at once', async () => {
  using file = growingFile('/no/such/file');
  const reading = text(file.read());
  file.end();
  expect(await reading).toBe('');
});
