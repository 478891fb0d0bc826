/** `npm test`: prepares the machine, builds, checks, tests, and ends with one line that counts. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ensureModules,
  ensurePackages,
  ensureTestUser,
  isRoot,
  root,
  TEST_PACKAGES,
} from './setup.js';

process.exitCode = main(process.argv.slice(2));

function main(args) {
  try {
    if (!isRoot())
      throw new Error('the tests need root: they make mounts and users, and run containers');
    ensurePackages(TEST_PACKAGES);
    ensureModules();
    ensureTestUser();
  } catch (error) {
    process.stderr.write(`setup: ${error.message}\n`);
    return 1;
  }
  if (run('build', ['npm', 'run', '--silent', 'build']) !== 0) return 1;
  // A complaint of the linter says nothing about the tests: they run all the same.
  const lint = run('lint', ['npx', '--no-install', 'biome', 'check', '.']);
  const types = run('types', ['npx', '--no-install', 'tsc']);
  return runTests(args) || lint || types;
}

function run(name, [command, ...args]) {
  const start = performance.now();
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  process.stdout.write(`${name}: ${status === 0 ? 'ok' : 'failed'} in ${seconds}s\n`);
  return status ?? 1;
}

function runTests(args) {
  const scratch = mkdtempSync(join(tmpdir(), 'tsbuild-tests-'));
  try {
    const report = join(scratch, 'report.json');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const status = run('tests', ['npx', '--no-install', 'vitest', 'run', ...reporters, ...args]);
    const {
      numPassedTests: passed,
      numFailedTests: failed,
      success,
    } = JSON.parse(readFileSync(report, 'utf8'));
    // A file that cannot even be loaded fails without a failed test in it.
    const broken = !success && failed === 0 ? 1 : 0;
    process.stdout.write(`${passed} passed, ${failed + broken} failed\n`);
    return status;
  } catch (error) {
    process.stderr.write(`no report of the tests: ${error.message}\n`);
    return 1;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
