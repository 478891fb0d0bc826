import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { acquireLock, tryLock } from '../../src/host/lock.ts';
import { compileScript } from '../helpers/script.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const HOLD = `
  import { acquireLock } from '#src/host/lock.ts';
  const [path, shared] = process.argv.slice(2);
  await acquireLock(path, { shared: shared === 'shared' });
  console.log('held');
  process.stdin.resume();
`;

describe('a lock', () => {
  test('is held by one at a time, also within one process', async () => {
    const file = path.join(tempDirectory(), 'lock');
    const first = await acquireLock(file);
    expect(await tryLock(file)).toBeUndefined();
    let second: AsyncDisposable | undefined;
    const waiting = acquireLock(file).then((lock) => {
      second = lock;
    });
    expect(second).toBeUndefined();
    await first[Symbol.asyncDispose]();
    await waiting;
    await second![Symbol.asyncDispose]();
  });

  test('when shared, is held by many, but not beside an exclusive one', async () => {
    const file = path.join(tempDirectory(), 'lock');
    const shared = [
      await acquireLock(file, { shared: true }),
      await acquireLock(file, { shared: true }),
    ];
    expect(await tryLock(file)).toBeUndefined();
    for (const lock of shared) await lock[Symbol.asyncDispose]();
    await using _exclusive = (await tryLock(file))!;
    expect(await tryLock(file, { shared: true })).toBeUndefined();
  });

  test('is let go by a holder that is killed', async () => {
    const directory = tempDirectory();
    const file = path.join(directory, 'lock');
    const holder = compileScript(directory, HOLD).start(file);
    expect(await holder.line()).toBe('held');
    expect(await tryLock(file, { shared: true })).toBeUndefined();
    await holder.kill();
    await using lock = await acquireLock(file);
    expect(lock).toBeDefined();
  });

  test('is not waited for any longer once the signal is aborted', async () => {
    const file = path.join(tempDirectory(), 'lock');
    await using _held = await acquireLock(file);
    const controller = new AbortController();
    const waiting = acquireLock(file, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(acquireLock(file, { signal: controller.signal })).rejects.toThrow('enough');
  });

  test('keeps the counting of 8 processes right', async () => {
    const directory = tempDirectory();
    const counter = path.join(directory, 'counter');
    fs.writeFileSync(counter, '0');
    const script = compileScript(
      directory,
      `import fs from 'node:fs';
       import { acquireLock } from '#src/host/lock.ts';
       const [lock, counter] = process.argv.slice(2);
       for (let i = 0; i < 10; i++) {
         await using _held = await acquireLock(lock);
         const count = Number(fs.readFileSync(counter, 'utf8'));
         await new Promise((resolve) => setImmediate(resolve));
         fs.writeFileSync(counter, String(count + 1));
       }`,
    );
    const processes = Array.from({ length: 8 }, () =>
      script.start(path.join(directory, 'lock'), counter),
    );
    await Promise.all(processes.map((running) => running.done()));
    expect(fs.readFileSync(counter, 'utf8')).toBe('80');
  });

  test('says what is wrong with its file', async () => {
    const file = path.join(tempDirectory(), 'missing/lock');
    await expect(acquireLock(file)).rejects.toMatchObject({
      code: 'STORE',
      message: expect.stringContaining(file),
    });
  });
});

test('a lock that is free costs no process, and without flock(1) it is not waited for', async () => {
  const file = path.join(tempDirectory(), 'lock');
  const { PATH } = process.env;
  process.env.PATH = '/none';
  try {
    await using _held = await acquireLock(file);
    await expect(acquireLock(file)).rejects.toMatchObject({ code: 'UNSUPPORTED_HOST' });
  } finally {
    process.env.PATH = PATH;
  }
});
