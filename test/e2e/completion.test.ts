import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cli, createCli } from '../helpers/cli.ts';

let cli: Cli;
beforeAll(() => {
  cli = createCli();
});
afterAll(() => cli[Symbol.asyncDispose]());

test('bash completes commands, flags and values of the installed command', async () => {
  const bin = join(cli.directory, 'bin');
  mkdirSync(bin);
  const command = join(cli.directory, 'install', 'dist', 'tsbuild.cjs');
  writeFileSync(join(bin, 'tsbuild'), `#!/bin/sh\nexec ${process.execPath} ${command} "$@"\n`, {
    mode: 0o755,
  });
  const script = `
    source <(tsbuild completion bash)
    for COMP_LINE in 'tsbuild pu' 'tsbuild build --progress=pl' 'tsbuild build --no-cache-'; do
      COMP_POINT=\${#COMP_LINE}
      _tsbuild
      echo "\${COMPREPLY[*]}"
    done`;
  const text = execFileSync('bash', ['--norc', '-eu', '-c', script], {
    encoding: 'utf8',
    env: { ...cli.environment, PATH: `${bin}:${process.env.PATH}` },
  });
  expect(text.split('\n')).toEqual(['pull push', 'plain', '--no-cache-filter', '']);
});
