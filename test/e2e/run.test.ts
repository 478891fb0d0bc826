import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type As, type Cli, createCli, eventually, giveTo } from '../helpers/cli.ts';

describe.each<[string, As]>([
  ['root', 'root'],
  ['an ordinary user', 'user'],
])('a container run by %s', (_, as) => {
  let cli: Cli;
  beforeAll(async () => {
    cli = createCli(as);
    await cli.base();
  });
  afterAll(() => cli[Symbol.asyncDispose]());

  test.each<[string, string[], number]>([
    ['the status of its command', ['busybox', 'sh', '-c', 'exit 7'], 7],
    ['0', ['busybox', 'true'], 0],
    [
      '128 and the signal that a shell saw',
      ['busybox', 'sh', '-c', 'sleep 9 & kill -9 $!; wait $!'],
      137,
    ],
    ['127 if there is no such command', ['busybox', '/no/such/command'], 127],
    ['126 if the command cannot be executed', ['busybox', '/etc/passwd'], 126],
    ['125 if there is no such image', ['--pull=never', 'no-such-image'], 125],
    ['125 for a flag that does not exist', ['--no-such-flag', 'busybox'], 125],
  ])('ends with %s', async (_, args, status) => {
    const result = await cli.run(['run', '--rm', ...args]);
    expect(result.status, result.stderr).toBe(status);
  });

  test.each<[string, string[], string]>([
    [
      '-e',
      ['-e', 'A=1', '-e', 'FROM_ENV', 'busybox', 'sh', '-c', 'echo $A $FROM_ENV'],
      '1 inherited\n',
    ],
    ['-w', ['-w', '/new/dir', 'busybox', 'pwd'], '/new/dir\n'],
    ['-u', ['-u', 'app', 'busybox', 'id', '-u'], '1000\n'],
    ['-u by number', ['-u', '12:34', 'busybox', 'sh', '-c', 'id -u; id -g'], '12\n34\n'],
    ['--entrypoint', ['--entrypoint', 'echo', 'busybox', 'a', 'b'], 'a b\n'],
    ['--hostname', ['--hostname', 'box', 'busybox', 'hostname'], 'box\n'],
    ['--network none', ['--network', 'none', 'busybox', 'ls', '/sys/class/net'], 'lo\n'],
    [
      '--add-host',
      ['--add-host', 'db:10.1.2.3', 'busybox', 'grep', '-cw', 'db', '/etc/hosts'],
      '1\n',
    ],
    [
      '--read-only',
      ['--read-only', 'busybox', 'sh', '-c', 'touch /x 2>/dev/null || echo refused'],
      'refused\n',
    ],
    ['flags after the image as its own', ['busybox', 'echo', '-e', '--rm'], '--rm\n'],
  ])('takes %s', async (_, args, stdout) => {
    const result = await cli.run(['run', '--rm', ...args], { env: { FROM_ENV: 'inherited' } });
    expect(result.stderr).toBe('');
    expect(result).toMatchObject({ stdout, status: 0 });
  });

  test('reads a file of variables, which the command line overrides', async () => {
    writeFileSync(join(cli.directory, 'vars'), '# comment\nA=file\nB="quoted"\n');
    const args = ['--env-file', 'vars', '-e', 'A=flag', 'busybox', 'sh', '-c', 'echo $A $B'];
    expect(await cli.ok(['run', ...args])).toBe('flag "quoted"\n');
  });

  test('shares directories, writable and not', async () => {
    const shared = join(cli.directory, 'shared');
    mkdirSync(shared, { recursive: true });
    giveTo(shared, as);
    await cli.ok(['run', '-v', `${shared}:/s`, 'busybox', 'sh', '-c', 'echo hi > /s/file']);
    expect(readFileSync(join(shared, 'file'), 'utf8')).toBe('hi\n');
    const { status } = await cli.run(['run', '-v', `${shared}:/s:ro`, 'busybox', 'touch', '/s/no']);
    expect(status).not.toBe(0);
  });

  test('passes stdin with -i, and only then', async () => {
    const call = { stdin: 'from outside\n' };
    expect(await cli.ok(['run', '-i', 'busybox', 'cat'], call)).toBe('from outside\n');
    expect(await cli.ok(['run', 'busybox', 'cat'], call)).toBe('');
  });

  test('passes binary output through untouched', async () => {
    const child = cli.start(['run', 'busybox', 'sh', '-c', String.raw`printf "\001\377\000\n\r"`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const chunks: Buffer[] = [];
    for await (const chunk of child.stdout!) chunks.push(chunk);
    expect([...Buffer.concat(chunks)]).toEqual([1, 255, 0, 10, 13]);
  });

  test('gets the signals that the command gets', async () => {
    const script = 'trap "echo got it; exit 9" TERM; echo ready; while :; do sleep 0.1; done';
    const child = cli.start(['run', 'busybox', 'sh', '-c', script], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let output = '';
    child.stdout!.on('data', (text) => {
      output += text;
    });
    await eventually('the trap is set', () => output.includes('ready'));
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([9, null]);
    expect(output).toContain('got it');
  });

  test('has a terminal with -t', async () => {
    const inner = [
      process.execPath,
      join(cli.directory, 'install/dist/tsbuild.cjs'),
      'run',
      '-t',
      'busybox',
      'tty',
    ];
    // script(1) is a terminal for whom it runs.
    const { status, stdout } = await runInTerminal(cli, inner);
    expect(stdout).toMatch(/\/dev\/pts\/\d+|\/dev\/console/);
    expect(status).toBe(0);
  });

  test('leaves the image as it was', async () => {
    await cli.ok(['run', '--rm', 'busybox', 'touch', '/trace']);
    expect((await cli.run(['run', '--rm', 'busybox', 'test', '-e', '/trace'])).status).toBe(1);
  });
});

async function runInTerminal(cli: Cli, command: string[]) {
  const { spawn } = await import('node:child_process');
  const child = spawn('script', ['-qec', command.join(' '), '/dev/null'], {
    env: { ...cli.environment, TERM: 'xterm' },
    cwd: cli.directory,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  const [status] = await once(child, 'close');
  return { status, stdout };
}
