import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prepareNode, prepareToolchain } from '../../examples/prepare.js';
import { type Cli, createCli, repository } from '../helpers/cli.ts';

const examples = join(repository, 'examples');

let cli: Cli;
beforeAll(async () => {
  cli = createCli();
  await cli.base();
});
afterAll(() => cli[Symbol.asyncDispose]());

describe('the example', () => {
  test('hello carries a page that an earlier stage made', async () => {
    await cli.ok(['build', '-t', 'hello', '--build-arg', 'GREETING=Hi', join(examples, 'hello')]);
    const output = await cli.ok(['run', '--rm', 'hello']);
    expect(output).toMatch(/^Hi from version [0-9a-f]{12}, as app\n<!doctype html>/);
    expect(output).toContain('<h1>Built by tsbuild</h1>');
  });

  test('c-program is one static program', async () => {
    prepareToolchain(join(cli.directory, 'toolchain'));
    await cli.ok(['build', '-t', 'toolchain', join(cli.directory, 'toolchain')]);
    await cli.ok(['build', '-t', 'primes', '-o', 'primes-files', join(examples, 'c-program')]);
    expect(readdirSync(join(cli.directory, 'primes-files'))).toEqual(['primes']);
    expect(await cli.ok(['run', '--rm', 'primes', '12'])).toBe('2\n3\n5\n7\n11\n');
  });

  test('node-app is installed, tested and served', async () => {
    prepareNode(join(cli.directory, 'node'));
    await cli.ok(['build', '-t', 'node', join(cli.directory, 'node')]);
    const context = join(examples, 'node-app');
    const tested = await cli.run(['build', '--progress=plain', '--target', 'test', context]);
    expect(tested.stderr).toMatch(/# pass 1|ℹ pass 1/);
    await cli.ok(['build', '-t', 'node-app', '--build-arg', 'VERSION=7', context]);
    const output = await cli.ok(['run', '--rm', 'node-app', 'node', 'src/server.js', '--once']);
    expect(JSON.parse(output)).toEqual({ text: 'Hello, container!', version: '7' });
  });

  test('node-app does not install again when only its sources changed', async () => {
    const copy = join(cli.directory, 'node-app');
    cpSync(join(examples, 'node-app'), copy, { recursive: true });
    execFileSync('sh', ['-c', 'echo "// changed" >> src/app.js'], { cwd: copy });
    const { stderr } = await cli.run(['build', '--progress=plain', copy]);
    const install = /^#(\d+) .*RUN npm ci/m.exec(stderr)![1];
    expect(stderr).toMatch(new RegExp(`^#${install} CACHED$`, 'm'));
  });

  test('api.js builds, meets an error and runs from JavaScript', () => {
    const output = execFileSync(
      process.execPath,
      [join(examples, 'api.js'), join(examples, 'hello')],
      {
        cwd: repository,
        env: { ...process.env, ...cli.environment },
        encoding: 'utf8',
      },
    );
    expect(output).toMatch(/built sha256:[0-9a-f]{64}: \d+ of \d+ steps were cached/);
    expect(output).toContain('as expected: DOCKERFILE_REFERENCE');
    expect(output).toContain('the container ended with 0');
  });
});
