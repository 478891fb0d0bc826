import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type As, type Cli, createCli, eventually, mountsBelow } from '../helpers/cli.ts';
import { executorOf } from '../helpers/processes.ts';

describe.each<[string, As]>([
  ['root', 'root'],
  ['an ordinary user', 'user'],
])('by %s, a build that is stopped', (_, as) => {
  let cli: Cli;
  beforeAll(async () => {
    cli = createCli(as);
    await cli.base();
  });
  afterAll(() => cli[Symbol.asyncDispose]());

  let builds = 0;

  /** A build whose RUN sleeps; resolves when the sleep is there. */
  async function sleepingBuild(): Promise<{
    child: ChildProcess;
    marker: string;
    context: string;
  }> {
    builds += 1;
    const marker = `${90_000 + process.pid}.${builds}${as === 'root' ? 1 : 2}`;
    const context = cli.context({
      Dockerfile: `FROM busybox\nRUN echo started && sleep ${marker}\n`,
    });
    const child = cli.start(['build', '-t', `stopped-${builds}`, context], { stdio: 'ignore' });
    await eventually('the step runs', () =>
      cli.processes(`sleep ${marker}`).some((line) => line.startsWith('sleep')),
    );
    return { child, marker, context };
  }

  async function nothingIsLeft(marker: string): Promise<void> {
    await eventually('all processes have ended', () => cli.processes(marker).length === 0);
    expect(mountsBelow(cli.directory)).toEqual([]);
    await cli.ok(['images']);
    const works = cli.context({ Dockerfile: `FROM busybox\nRUN echo ${marker}\n` });
    await cli.ok(['build', works]);
    expect(readdirSync(join(cli.home, 'tmp'))).toEqual([]);
  }

  test.each<[NodeJS.Signals, number]>([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ])('by %s ends with status %d and leaves nothing', async (signal, status) => {
    const { child, marker } = await sleepingBuild();
    child.kill(signal);
    expect(await once(child, 'exit')).toEqual([status, null]);
    await nothingIsLeft(marker);
  });

  test('by SIGKILL leaves nothing', async () => {
    const { child, marker } = await sleepingBuild();
    child.kill('SIGKILL');
    await once(child, 'exit');
    await nothingIsLeft(marker);
  });

  test('by the death of its executor fails with a clear error and leaves nothing', async () => {
    const { child, marker } = await sleepingBuild();
    const exit = once(child, 'exit');
    process.kill(executorOf(child.pid!)!, 'SIGKILL');
    const [status] = await exit;
    expect(status).toBe(10);
    await nothingIsLeft(marker);
  });

  test('twice by SIGINT ends at once', async () => {
    const { child, marker } = await sleepingBuild();
    child.kill('SIGINT');
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([130, null]);
    await nothingIsLeft(marker);
  });
});
