import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cli, createCli } from '../helpers/cli.ts';

let cli: Cli;
beforeAll(async () => {
  cli = createCli();
  await cli.base();
});
afterAll(() => cli[Symbol.asyncDispose]());

const hasOwnCache = 'enableCompileCache' in (await import('node:module'));
const compiled = () => join(cli.home, 'compiled');
/** In how many the code has a part; code that V8 rejects begins anew. */
const runs = (file: string) => readFileSync(file).readUInt32LE();
const kept = () => readdirSync(compiled()).map((name) => join(compiled(), name));

/** Newer Nodes keep compiled code by themselves, and the command leaves it to them. */
describe.runIf(!hasOwnCache)('compiled code', () => {
  test('is kept in the store by the first run, and used by the next', async () => {
    await cli.ok(['version']);
    const [file] = kept();
    expect(runs(file!)).toBe(1);
    await cli.ok(['version']);
    expect(runs(file!)).toBe(2);
    expect(kept()).toEqual([file]);
  });

  test.each([
    ['empty', (file: string) => truncateSync(file)],
    ['cut off', (file: string) => truncateSync(file, 1000)],
    ['something else', (file: string) => writeFileSync(file, 'no code at all')],
  ])('that is %s is made anew', async (_, damage) => {
    await cli.ok(['version']);
    const [file] = kept();
    damage(file!);
    await cli.ok(['version']);
    expect(runs(file!)).toBe(1);
    expect(readFileSync(file!).length).toBeGreaterThan(10_000);
  });

  test('grows by what runs need that are not like the first, each time that their number has doubled', async () => {
    rmSync(compiled(), { recursive: true, force: true });
    await cli.ok(['version']);
    const [file] = kept();
    const sizes = [statSync(file!).size];
    const context = cli.context({ Dockerfile: 'FROM busybox\nENV a=b\n' });
    for (let run = 2; run <= 4; run += 1) {
      await cli.ok(['build', context]);
      sizes.push(statSync(file!).size);
    }
    const [first, second, third, fourth] = sizes;
    expect(second).toBeGreaterThan(first! * 1.2);
    expect(third).toBe(second);
    expect(fourth).toBeGreaterThan(second! * 0.9);
    expect(runs(file!)).toBe(4);
    expect(kept()).toEqual([file]);
  });

  test('of a command that is like no other is a file of its own', async () => {
    rmSync(compiled(), { recursive: true, force: true });
    await cli.ok(['version']);
    await cli.ok(['images']);
    expect(kept()).toHaveLength(1);
    await cli.ok(['run', '--help']);
    expect(kept()).toHaveLength(2);
  });

  test("of a registry's client is kept by those who ask one", async () => {
    rmSync(compiled(), { recursive: true, force: true });
    // Nobody listens there.
    for (const run of [1, 2]) {
      await cli.run(['pull', '127.0.0.1:1/none']);
      expect(kept().map(runs)).toEqual([run, run]);
    }
  });

  test('that cannot be kept is done without', async () => {
    rmSync(compiled(), { recursive: true, force: true });
    writeFileSync(compiled(), 'a file in the way');
    await cli.ok(['version']);
    rmSync(compiled());
  });
});

test('a command does not make a store for the sake of its compiled code', async () => {
  const home = join(cli.directory, 'none');
  await cli.ok(['version'], { env: { TSBUILD_HOME: home } });
  expect(() => readdirSync(home)).toThrow('ENOENT');
});
