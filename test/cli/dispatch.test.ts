import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dispatch } from '../../src/cli/dispatch.ts';
import { fakeContext } from './context.ts';

let home: string;
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'tsbuild-cli-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe('a command line', () => {
  test('without arguments is answered by the overview', async () => {
    const context = fakeContext();
    expect(await dispatch([], context)).toBe(0);
    expect(context.out()).toMatch(/^Usage: tsbuild \[build\]/);
  });

  test('with --help is answered by the help of the command, whatever else is wrong', async () => {
    const context = fakeContext();
    expect(await dispatch(['push', 'a', 'b', 'c', '--help'], context)).toBe(0);
    expect(context.out()).toMatch(/^Usage: tsbuild push/);
  });

  test('takes --debug before the command as well as after it', async () => {
    const context = fakeContext();
    expect(await dispatch(['--debug', 'version', '--debug'], context)).toBe(0);
    expect(context.out()).toMatch(/^tsbuild 0\.0\.0-test /);
  });

  test.each([
    [['push'], "'tsbuild push' takes 1 argument, not 0"],
    [['tag', 'a'], "'tsbuild tag' takes 2 arguments, not 1"],
    [['images', 'a', 'b'], "'tsbuild images' takes 0 to 1 arguments, not 2"],
    [['rmi'], "'tsbuild rmi' takes at least 1 argument, not 0"],
  ])('%j has a wrong number of arguments', async (argv, message) => {
    await expect(dispatch(argv, fakeContext())).rejects.toMatchObject({ code: 'USAGE', message });
  });

  test('of run sets docker’s statuses before anything can fail', async () => {
    const context = fakeContext();
    await expect(dispatch(['run', '--no-such-flag'], context)).rejects.toThrow();
    expect(context.handlings[0]?.status?.(new Error('any'))).toBe(125);
  });

  test('for an empty store lists nothing, and makes no directory', async () => {
    const context = fakeContext({ TSBUILD_HOME: join(home, 'none') });
    expect(await dispatch(['images'], context)).toBe(0);
    expect(context.out()).toBe('NAME   IMAGE ID   PLATFORM   CREATED   SIZE\n');
    expect(() => writeFileSync(join(home, 'none', 'x'), '')).toThrow(/ENOENT/);
  });

  test('that parses a Dockerfile prints JSON', async () => {
    const file = join(home, 'Dockerfile');
    writeFileSync(file, '# escape=`\nFROM a\nRUN --mount=x echo `\n  hi\n');
    const context = fakeContext();
    await dispatch(['parse', file, '--format', 'json'], context);
    const parsed = JSON.parse(context.out());
    expect(parsed.escape).toBe('`');
    expect(parsed.instructions[1]).toMatchObject({
      name: 'RUN',
      line: 3,
      endLine: 4,
      flags: ['--mount=x'],
    });
  });

  test('that parses a file which is not there fails for the context', async () => {
    await expect(dispatch(['parse', join(home, 'none')], fakeContext())).rejects.toMatchObject({
      code: 'CONTEXT',
    });
  });
});

describe('login', () => {
  test('asks nobody when stdin is no terminal', async () => {
    await expect(dispatch(['login'], fakeContext())).rejects.toMatchObject({
      code: 'USAGE',
      message: 'stdin is not a terminal',
    });
  });

  test.each([
    [['-u', 'me', '-p', 'x', '--password-stdin'], 'x', /exclude each other/],
    [['--password-stdin'], 'x', /needs --username/],
    [['-u', 'me', '--password-stdin'], '\n', /password is empty/],
    [['-u', '', '-p', 'x'], '', /user name is empty/],
    [['-u', 'me', '--password-stdin'], 'x'.repeat(70_000), /more than 65536 bytes/],
  ])('%j is refused before any registry is asked', async (flags, stdin, message) => {
    await expect(dispatch(['login', ...flags], fakeContext({}, stdin))).rejects.toThrow(message);
  });
});
