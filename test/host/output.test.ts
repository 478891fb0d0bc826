import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { openOutput } from '../../src/host/output.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

test('a stream whose reader keeps what it gets is given bytes that stay', async () => {
  const file = join(tempDirectory(), 'large');
  writeFileSync(
    file,
    Buffer.alloc(3_000_000).map((_, at) => (at >> 12) % 251),
  );
  const stream = new PassThrough();
  const read = buffer(stream);
  const fd = openSync(file, 'r');
  await using output = openOutput({ stream });
  await output.copy(fd, 0, 3_000_000);
  closeSync(fd);
  stream.end();
  expect((await read).equals(readFileSync(file))).toBe(true);
});
