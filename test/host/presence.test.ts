import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isAnybodyPresent, makeFifos, present } from '../../src/host/presence.ts';
import { compileScript } from '../helpers/script.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const fifo = async (): Promise<string> => {
  const file = join(tempDirectory(), 'fifo');
  await makeFifos([file]);
  return file;
};

describe('presence', () => {
  test('is seen until the last one leaves', async () => {
    const file = await fifo();
    expect(isAnybodyPresent(file)).toBe(false);
    const [first, second] = [present(file)!, present(file)!];
    expect(isAnybodyPresent(file)).toBe(true);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect(isAnybodyPresent(file)).toBe(true);
    second[Symbol.dispose]();
    expect(isAnybodyPresent(file)).toBe(false);
  });

  test('ends with the process, however that ends', async () => {
    const file = await fifo();
    const source = `
      import { present } from '#src/host/presence.ts';
      present(process.argv[2]);
      console.log('present');
      process.stdin.resume();
    `;
    const other = compileScript(tempDirectory(), source).start(file);
    expect(await other.line()).toBe('present');
    expect(isAnybodyPresent(file)).toBe(true);
    await other.kill();
    expect(isAnybodyPresent(file)).toBe(false);
  });

  test.each<[string, (file: string) => void]>([
    ['nothing', () => {}],
    ['a file', (file) => writeFileSync(file, '')],
    ['a directory', (file) => mkdirSync(file)],
    ['a symbolic link', (file) => symlinkSync('/dev/null', file)],
  ])('is of nobody where there is %s instead of the FIFO', (_, make) => {
    const file = join(tempDirectory(), 'fifo');
    make(file);
    expect(present(file)).toBeUndefined();
    expect(isAnybodyPresent(file)).toBe(false);
  });

  test('is an error where it cannot be told, and not the answer that nobody is there', () => {
    const unreadable = join(tempDirectory(), 'n'.repeat(256));
    for (const ask of [present, isAnybodyPresent])
      expect(() => ask(unreadable)).toThrow(
        expect.objectContaining({
          code: 'STORE',
          message: expect.stringContaining('open the FIFO'),
        }),
      );
  });
});

describe('FIFOs', () => {
  test('are made for the owner alone, beside those that are there', async () => {
    const directory = tempDirectory();
    const names = ['a', 'b'].map((name) => join(directory, name));
    await makeFifos(names.slice(0, 1));
    await makeFifos(names);
    for (const name of names) {
      expect(statSync(name).isFIFO()).toBe(true);
      expect(statSync(name).mode & 0o777).toBe(0o600);
    }
  });

  test('that cannot be made are none', async () => {
    const directory = tempDirectory();
    writeFileSync(join(directory, 'file'), '');
    mkdirSync(join(directory, 'empty'));
    await makeFifos([join(directory, 'file/fifo')]);
    expect(readdirSync(join(directory, 'empty'))).toEqual([]);
  });
});
