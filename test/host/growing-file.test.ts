import { appendFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { growingFile } from '../../src/host/growing-file.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

async function text(source: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test('readers get what comes, whenever they start, and again from the beginning', async () => {
  const path = join(tempDirectory(), 'file');
  using file = growingFile(path);
  const early = text(file.read());
  writeFileSync(path, 'one ');
  await file.grown(4, Buffer.from('one '));
  const middle = text(file.read());
  appendFileSync(path, 'two, and what nobody has been told of');
  await file.grown(7, Buffer.from('two'));
  renameSync(path, `${path}-renamed`);
  file.end();
  expect(await Promise.all([early, middle, text(file.read())])).toEqual(Array(3).fill('one two'));
});

test('a file that somebody cuts short is not waited for', async () => {
  const path = join(tempDirectory(), 'file');
  using file = growingFile(path);
  writeFileSync(path, 'some');
  await file.grown(4, Buffer.from('some'));
  truncateSync(path, 2);
  await expect(text(file.read())).rejects.toMatchObject({ code: 'STORE' });
});

test('a failure of the writer is one of the readers', async () => {
  const path = join(tempDirectory(), 'file');
  using file = growingFile(path);
  writeFileSync(path, 'some');
  await file.grown(4, Buffer.from('some'));
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

describe('a reader that keeps up', () => {
  const MIB = 1024 * 1024;

  test('gets the bytes from memory, which is returned when it asks for more', async () => {
    const path = join(tempDirectory(), 'file');
    writeFileSync(path, 'what is in the file is not read');
    using file = growingFile(path);
    const reader = file.read();
    const first = reader.next();
    const bytes = Buffer.alloc(MIB, 'first');
    let isReturned = false;
    const grown = file.grown(MIB, bytes).then((what) => {
      isReturned = true;
      return what;
    });
    expect((await first).value?.buffer).toBe(bytes.buffer);
    expect(isReturned).toBe(false);
    const second = reader.next();
    expect(await grown).toBe('returned');
    file.end();
    expect(await second).toMatchObject({ done: true });
  });

  test('and then stops holds up nobody, and keeps the memory', async () => {
    const path = join(tempDirectory(), 'file');
    writeFileSync(path, Buffer.alloc(3 * MIB, 'same'));
    using file = growingFile(path);
    const reader = file.read();
    const first = reader.next();
    expect(await file.grown(MIB, Buffer.alloc(MIB, 'same'))).toBe('kept');
    // Nor does the next one wait for it for long, and what it has missed it reads.
    expect(await file.grown(2 * MIB, Buffer.alloc(MIB, 'lost'))).toBe('returned');
    expect(await file.grown(3 * MIB, Buffer.alloc(MIB, 'lost'))).toBe('returned');
    file.end();
    const head = (await first).value;
    const rest = await text(reader);
    expect(Buffer.from(head).toString() + rest).toBe('same'.repeat((3 * MIB) / 4));
  });

  test('and goes away returns what it has', async () => {
    const path = join(tempDirectory(), 'file');
    writeFileSync(path, '');
    using file = growingFile(path);
    const reader = file.read();
    const first = reader.next();
    const grown = file.grown(MIB, Buffer.alloc(MIB));
    await first;
    await reader.return(undefined);
    expect(await grown).toBe('returned');
  });
});
