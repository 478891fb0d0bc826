import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { prepareBusybox } from '../../examples/prepare.js';
import { repository } from '../helpers/cli.ts';

let directory: string;
let env: NodeJS.ProcessEnv;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tsbuild-install-'));
  const bin = join(directory, 'bin');
  mkdirSync(bin);
  // A machine without a compiler: what npm might call for one fails.
  for (const tool of ['gcc', 'cc', 'g++', 'make', 'cmake', 'python3']) {
    execFileSync('sh', ['-c', `printf '#!/bin/sh\\nexit 1\\n' > ${tool} && chmod +x ${tool}`], {
      cwd: bin,
    });
  }
  env = {
    ...process.env,
    PATH: `${bin}:${process.env.PATH}`,
    TSBUILD_HOME: join(directory, 'home'),
  };
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('the packed archive installs globally without a compiler, and works there', () => {
  const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', directory];
  const [{ filename, files }] = JSON.parse(
    execFileSync('npm', pack, {
      cwd: repository,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  );
  const names: string[] = files.map((file: { path: string }) => file.path);
  expect(names).toEqual(
    expect.arrayContaining([
      'dist/tsbuild.cjs',
      'dist/index.js',
      'dist/executor.cjs',
      'dist/types/index.d.ts',
      'LICENSE',
      'README.md',
    ]),
  );
  expect(names.filter((name) => /^(src|test|examples|fixtures)\//.test(name))).toEqual([]);
  const prefix = join(directory, 'prefix');
  execFileSync('npm', ['install', '-g', '--prefix', prefix, join(directory, filename)], {
    env,
    stdio: 'ignore',
  });
  const tsbuild = (...args: string[]) =>
    execFileSync(join(prefix, 'bin/tsbuild'), args, {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  expect(tsbuild('--version')).toMatch(/^tsbuild \d+\.\d+\.\d+ /);
  const base = join(directory, 'base');
  prepareBusybox(base);
  tsbuild('build', '-q', '-t', 'busybox', base);
  expect(tsbuild('run', '--rm', 'busybox', 'echo', 'works')).toBe('works\n');
});

test('the module is imported by its name, with types', () => {
  const script = "import * as t from 'tsbuild'; console.log(Object.keys(t).sort().join(' '))";
  const found = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: repository,
    encoding: 'utf8',
  });
  expect(found).toContain('build');
  expect(found).toContain('TsbuildError');
});
