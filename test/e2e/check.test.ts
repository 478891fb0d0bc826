import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cli, createCli } from '../helpers/cli.ts';

let cli: Cli;
beforeAll(async () => {
  cli = createCli();
  await cli.base();
});
afterAll(() => cli[Symbol.asyncDispose]());

const check = (dockerfile: string, ...args: string[]) =>
  cli.run(['build', ...args, cli.context({ Dockerfile: dockerfile })]);

test('--check shows each warning and the error with the lines that they are about', async () => {
  const { status, stdout, stderr } = await check(
    'FROM busybox\nENV a $b\nCOPY --chmod=zz x /\n',
    '--check',
  );
  const shown = stdout + stderr;
  expect(status).not.toBe(0);
  expect(shown).toContain('WARNING: LegacyKeyValueFormat');
  expect(shown).toMatch(/Dockerfile:2\n(.*\n)*?.*2 \|.*ENV a \$b/);
  expect(shown).toMatch(/Dockerfile:3\n(.*\n)*?.*3 \|.*COPY --chmod=zz x \//);
});

test('--call=check,format=json tells the same to programs, and by its status whether there is anything', async () => {
  const { status, stdout } = await check('FROM busybox\nENV a $b\n', '--call=check,format=json');
  expect(status).not.toBe(0);
  const { warnings, buildError } = JSON.parse(stdout);
  expect(buildError).toBeUndefined();
  expect(
    warnings.map((warning: { ruleName: string; location: { ranges: { start: object }[] } }) => [
      warning.ruleName,
      warning.location.ranges[0]!.start,
    ]),
  ).toEqual([
    ['UndefinedVar', { line: 2 }],
    ['LegacyKeyValueFormat', { line: 2 }],
  ]);
  const fine = await check('FROM busybox\nENV a=b\n', '--call=check,format=json');
  expect(fine.status).toBe(0);
});

test.each([
  ['COPY --chmod=zz x /', 'does not understand "zz"'],
  ['ADD --checksum=md5:1 http://localhost/x /', 'not a digest'],
])('%s is found without a build', async (line, message) => {
  const { stdout } = await check(`FROM busybox\n${line}\n`, '--call=check,format=json');
  expect(JSON.parse(stdout).buildError.message).toContain(message);
});

test('a build minds no more than the stages that it needs', async () => {
  const dockerfile = 'FROM busybox AS unneeded\nEXPOSE nothing\nENV a $b\nFROM busybox\n';
  const { status, stderr } = await check(dockerfile);
  expect(status).toBe(0);
  expect(stderr).not.toContain('UndefinedVar');
  expect((await check(dockerfile, '--check')).status).not.toBe(0);
});
