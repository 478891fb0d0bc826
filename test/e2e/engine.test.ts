import { execFileSync, spawnSync } from 'node:child_process';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cli, createCli } from '../helpers/cli.ts';

const engine = spawnSync('docker', ['version', '--format', '{{.Server.Version}}'], {
  encoding: 'utf8',
  timeout: 10_000,
});
const isThere = engine.status === 0;
if (!isThere) process.stdout.write('no Docker Engine here: what needs one is left out\n');

let cli: Cli;
beforeAll(async () => {
  cli = createCli();
  await cli.base();
});
afterAll(() => cli[Symbol.asyncDispose]());

// The only tests that may be left out: an engine is nothing that `npm test` could install.
test.skipIf(!isThere)(
  'a Docker Engine loads and runs what was built and what was saved',
  async () => {
    const name = `tsbuild-e2e-${process.pid}:1`;
    const docker = (args: string[], stdin?: string) =>
      execFileSync('docker', args, {
        encoding: 'utf8',
        stdio: [stdin === undefined ? 'ignore' : openSync(stdin, 'r'), 'pipe', 'pipe'],
      });
    const context = cli.context({
      Dockerfile:
        'FROM busybox\nRUN echo kept > /kept && chmod 4750 /kept\nCMD cat /kept; stat -c %a /kept\n',
    });
    await cli.ok(['build', '-t', name, '-o', 'type=docker,dest=built.tar', context]);
    await cli.ok(['save', '-o', 'saved.tar', name]);
    for (const archive of ['built.tar', 'saved.tar']) {
      try {
        expect(docker(['load'], join(cli.directory, archive))).toContain(name);
        expect(docker(['run', '--rm', '--network=none', name])).toBe('kept\n4750\n');
      } finally {
        spawnSync('docker', ['rmi', '-f', name]);
      }
    }
    // And the other way round.
    docker(['load'], join(cli.directory, 'built.tar'));
    const fromDocker = join(cli.directory, 'docker.tar');
    try {
      execFileSync('sh', ['-c', `docker save ${name} > ${fromDocker}`]);
    } finally {
      spawnSync('docker', ['rmi', '-f', name]);
    }
    const env = { TSBUILD_HOME: join(cli.directory, 'second') };
    await cli.ok(['load', '-i', fromDocker], { env });
    expect(await cli.ok(['run', '--rm', name], { env })).toBe('kept\n4750\n');
  },
);
