import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeFully } from '../../src/host/write-fully.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

test('every byte is written, at the end of what was written before or where it is said', () => {
  const file = join(tempDirectory(), 'file');
  const bytes = Buffer.alloc(100_001).map((_, at) => at % 251);
  const fd = openSync(file, 'wx');
  writeFully(fd, bytes.subarray(0, 40_000));
  writeFully(fd, Buffer.alloc(0));
  writeFully(fd, bytes.subarray(40_000));
  writeFully(fd, bytes, 200_000);
  closeSync(fd);
  expect(readFileSync(file).equals(Buffer.concat([bytes, Buffer.alloc(99_999), bytes]))).toBe(true);
});
