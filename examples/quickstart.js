/**
 * `npm run quickstart`: from a fresh clone to a built, run and rebuilt image. Plain Node, so that it works before
 * `npm ci`; it says what it does, and doing it twice does no harm.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureModules, ensurePackages, RUN_PACKAGES, root, sh } from '../test/setup.js';
import { prepareBusybox } from './prepare.js';

const command = join(root, 'dist', 'tsbuild.cjs');

try {
  main();
} catch (error) {
  process.stderr.write(`quickstart: ${error.message}\n`);
  process.exitCode = 1;
}

function main() {
  heading('What tsbuild needs: crun, a static busybox, Node modules');
  ensurePackages(RUN_PACKAGES);
  ensureModules();
  heading('tsbuild itself');
  sh('npm', ['run', '--silent', 'build']);
  process.stdout.write(
    `${execFileSync(process.execPath, [command, '--version'], { encoding: 'utf8' })}`,
  );

  const scratch = mkdtempSync(join(tmpdir(), 'tsbuild-quickstart-'));
  try {
    heading('A base image FROM scratch, out of the machine’s busybox');
    prepareBusybox(join(scratch, 'busybox'));
    tsbuild('build', '-t', 'busybox', join(scratch, 'busybox'));

    heading('An image of two stages on it: examples/hello');
    const hello = ['build', '-t', 'hello', 'examples/hello'];
    const first = tsbuild(...hello, '--no-cache');

    heading('Running it');
    tsbuild('run', '--rm', 'hello');

    heading('Building it again: nothing changed');
    const second = tsbuild(...hello);
    report(first, second);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function heading(text) {
  process.stdout.write(`\n== ${text}\n`);
}

/** Shows the command and its output; returns how long it took, in seconds. */
function tsbuild(...args) {
  process.stdout.write(`$ tsbuild ${args.join(' ')}\n`);
  const start = performance.now();
  const { status, error } = spawnSync(process.execPath, [command, ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`tsbuild ${args[0]} ended with status ${status}`);
  return (performance.now() - start) / 1000;
}

function report(first, second) {
  process.stdout.write(`
First build:   ${first.toFixed(2)}s
Second build:  ${second.toFixed(2)}s, everything cached

The command is ${command}${onPath() ? '' : '; `npm link` puts it on the PATH'}.
Try: tsbuild run --rm -it busybox sh
`);
}

function onPath() {
  return (process.env.PATH ?? '').split(':').some((directory) => {
    const candidate = join(directory, 'tsbuild');
    return existsSync(candidate) && statSync(candidate).isFile();
  });
}
