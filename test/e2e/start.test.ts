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
const kept = () => readdirSync(compiled()).map((name) => join(compiled(), name));

/** Newer Nodes keep compiled code by themselves, and the command leaves it to them. */
describe.runIf(!hasOwnCache)('compiled code', () => {
  test('is kept in the store by the first run, and used by the next', async () => {
    await cli.ok(['version']);
    const [file] = kept();
    const before = readFileSync(file!);
    await cli.ok(['version']);
    expect(kept()).toEqual([file]);
    expect(readFileSync(file!).equals(before)).toBe(true);
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
    expect(readFileSync(file!).length).toBeGreaterThan(10_000);
  });

  test('of a run that does little gives way to that of one that does much, and not back', async () => {
    rmSync(compiled(), { recursive: true, force: true });
    await cli.ok(['version']);
    const [file] = kept();
    const little = statSync(file!).size;
    const steps = Array.from({ length: 10 }, (_, n) => `RUN echo ${n}\n`).join('');
    await cli.ok(['build', cli.context({ Dockerfile: `FROM busybox\n${steps}` })]);
    expect(kept()).toEqual([file]);
    const much = statSync(file!).size;
    expect(much).toBeGreaterThan(little * 1.2);
    await cli.ok(['version']);
    expect(statSync(file!).size).toBe(much);
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
