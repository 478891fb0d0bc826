import { execFile, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { processesWith, untilNone } from '../helpers/processes.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

describe('the differential runner', () => {
  test('counts a build that hangs as a difference, ends all of it, and goes on', async () => {
    const temp = tempDirectory();
    const engine = join(temp, 'engine');
    // Loads whatever it is given, and waits forever for a build, in a process of its own.
    writeFileSync(
      engine,
      `#!/bin/sh\ncase "$*" in *"buildx build"*) sleep 1000 & echo $! >> ${temp}/waits; wait;; esac\n`,
    );
    chmodSync(engine, 0o755);
    const directory = join(temp, 'cases');
    mkdirSync(directory);
    const env = {
      ...process.env,
      DIFF_DIR: directory,
      DIFF_DOCKER: engine,
      DIFF_TSBUILD: '/bin/true',
      DIFF_PATIENCE: '1',
    };
    const cases = ['lexing-not-utf8-in-label', 'lexing-not-utf8-in-comment'];
    const program = 'test/differential/run.js';
    const run = promisify(execFile)(process.execPath, [program, ...cases], { env });
    const { stdout } = await run.catch((error: { stdout: string }) => error);
    expect(stdout.match(/engine hangs: killed after 1 s/g)).toHaveLength(2);
    expect(stdout).toContain('0 same, 0 accepted, 2 different');
    expect(readFileSync(join(temp, 'waits'), 'utf8').trim().split('\n')).toHaveLength(2);
    await untilNone(() => processesWith(directory));
  });
});

describe('the file server of the differential runner', () => {
  const start = () =>
    spawn(process.execPath, ['test/differential/file-server.js', '.'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
  const once = (child: ReturnType<typeof start>) =>
    new Promise((resolve) => child.once('exit', resolve));

  test('ends with its standard input', async () => {
    const child = start();
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const ended = once(child);
    child.stdin.end();
    expect(await ended).toBe(0);
  });

  test('ends with its parent, though another process holds the input open', async () => {
    const server = `${process.execPath} test/differential/file-server.js .`;
    // The shell is the parent, and this process holds the other end of the pipe.
    const shell = spawn('sh', ['-c', `${server} <&0 & echo pid $!; wait`], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let said = '';
    for await (const chunk of shell.stdout) {
      said += chunk;
      if (/^pid \d+$/m.test(said) && /^\d+$/m.test(said)) break;
    }
    const pid = /^pid (\d+)$/m.exec(said)![1];
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    shell.kill('SIGKILL');
    await expect.poll(() => existsSync(`/proc/${pid}`), { timeout: 10_000 }).toBe(false);
    shell.stdin.end();
  });
});
