import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  shell,
  type TestBuilder,
  type TestHome,
  type TestRun,
  testHome,
  USERS,
} from '../helpers/executor.ts';
import { executorOf, mountsBelow, processesWith, untilNone } from '../helpers/processes.ts';

describe.each(USERS)('with an executor of %s', (user) => {
  let home: TestHome;
  let builder: TestBuilder;
  let mark: string;
  beforeEach(async () => {
    home = await testHome(user);
    builder = home.builder();
    mark = `MARK=${home.home}`;
  });
  afterEach(() => home?.remove());

  /** A container with several processes, which writes files and never ends. */
  const busy = (): TestRun =>
    builder.start({
      ...shell('trap "" TERM INT; (while :; do date > /time; done) & sleep 600 & echo ready; wait'),
      env: ['PATH=/bin', mark],
    });
  const nothingRuns = (): Promise<void> => untilNone(() => processesWith(mark));
  /** With all that leads to them. The build processes of this test name the executor's file, too. */
  const executors = () =>
    processesWith(home.entries.file('executor')).filter(
      ({ args }) => args[1] !== home.entries.file('driver'),
    );
  const everythingIsGone = async (): Promise<void> => {
    await nothingRuns();
    await untilNone(executors);
    await untilNone(() => mountsBelow(home.home));
  };
  const pidOf = (runtime: string): number =>
    processesWith(home.home).find(
      ({ args }) => args[0]!.endsWith(`/${runtime}`) && args.includes('run'),
    )!.pid;
  const works = async (which: TestBuilder): Promise<void> => {
    expect(await which.run('echo fine')).toMatchObject({ exitCode: 0, stdout: 'fine\n' });
  };
  const leftovers = (): string[] =>
    readdirSync(join(home.home, 'tmp'), { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.includes('snapshots/run-'),
    );

  it('an aborted run ends with its container, and the next works', async () => {
    const run = busy();
    await run.printed('ready');
    run.abort();
    await expect(run.outcome).rejects.toMatchObject({ message: 'aborted by the test' });
    expect(processesWith(mark)).toEqual([]);
    expect(mountsBelow(join(home.home, 'tmp')).filter((line) => line.includes('overlay'))).toEqual(
      [],
    );
    expect(leftovers()).toEqual([]);
    await works(builder);
  });

  it('a run can be aborted at any moment', async () => {
    await works(builder);
    for (const wait of [0, 1, 3, 5, 8, 12, 20, 30, 50]) {
      const run = busy();
      await setTimeout(wait);
      run.abort();
      await expect(run.outcome).rejects.toMatchObject({ message: 'aborted by the test' });
      expect(processesWith(mark)).toEqual([]);
    }
    expect(leftovers()).toEqual([]);
    await works(builder);
  });

  it('one aborted run does not disturb another', async () => {
    const [first, second] = [busy(), builder.start('echo ready; sleep 0.3; echo done')];
    await Promise.all([first.printed('ready'), second.printed('ready')]);
    first.abort();
    await expect(first.outcome).rejects.toThrow('aborted');
    expect((await second.outcome).stdout).toBe('ready\ndone\n');
  });

  it('nothing outlives a build process that is killed, and the next works and clears up', async () => {
    await busy().printed('ready');
    builder.child.kill('SIGKILL');
    await everythingIsGone();
    const next = home.builder();
    await works(next);
    await next.stop();
    expect(readdirSync(join(home.home, 'tmp'))).toEqual([]);
  });

  it('nothing outlives a build process that is killed while the executor starts', async () => {
    for (const wait of [0, 10, 20, 30, 50, 80]) {
      const next = home.builder();
      next.start('true');
      await setTimeout(wait + 40);
      next.child.kill('SIGKILL');
      await everythingIsGone();
    }
    await works(builder);
  });

  it('a run says that the executor was killed, and the next works with a new one', async () => {
    const run = busy();
    await run.printed('ready');
    process.kill(executorOf(builder.child.pid!)!, 'SIGKILL');
    await expect(run.outcome).rejects.toMatchObject({ code: 'EXECUTOR' });
    await nothingRuns();
    await works(builder);
  });

  it.each(['crun', 'runc'])(
    'a run says that %s was killed, with its container, and the next works',
    async (runtime) => {
      builder = home.builder({ runtime });
      const run = busy();
      await run.printed('ready');
      process.kill(pidOf(runtime), 'SIGKILL');
      await expect(run.outcome).rejects.toMatchObject({
        code: 'EXECUTOR',
        message: "the container's runtime was killed by SIGKILL",
      });
      await nothingRuns();
      expect(leftovers()).toEqual([]);
      await works(builder);
    },
  );

  it('nothing is left when it is done', async () => {
    // In the group of its parents: there is none to be left.
    const { stdout } = await builder.run('mkdir /d; touch /d/a /d/b; cat /proc/self/cgroup');
    expect(stdout).not.toContain('run-');
    await builder.stop();
    await everythingIsGone();
    expect(readdirSync(join(home.home, 'tmp'))).toEqual([]);
  });
});
