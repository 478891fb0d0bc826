/** What every runtime owes. Each implementation's test calls this, in a mount namespace of its own. */
import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readAbilities } from '../../src/runtime/abilities.ts';
import { makeDevices } from '../../src/runtime/devices.ts';
import type { ContainerExit, RunOptions, Runtime } from '../../src/runtime/runtime.ts';
import { runtimeConfig } from '../../src/runtime/spec.ts';
import { processesWith, untilNone } from '../helpers/processes.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

export function runtimeContract(
  name: string,
  create: (options: { readonly state: string; readonly ahead: boolean }) => Runtime,
): void {
  const setUp = (ahead = false) => {
    const home = tempDirectory();
    const root = join(home, 'root');
    for (const path of ['bin', 'dev', 'proc', 'sys'])
      mkdirSync(join(root, path), { recursive: true });
    cpSync('/bin/busybox', join(root, 'bin/busybox'));
    for (const applet of ['sh', 'cat', 'sleep', 'true'])
      symlinkSync('busybox', join(root, 'bin', applet));
    const devices = makeDevices(join(home, 'devices'));
    mkdirSync(join(home, 'state'));
    const runtime = create({ state: join(home, 'state'), ahead });
    onTestFinished(() => runtime[Symbol.dispose]());
    let runs = 0;
    const start = (args: readonly string[], more: Partial<RunOptions> = {}) => {
      runs += 1;
      const id = `run-${runs}`;
      const config = runtimeConfig(
        {
          ...{ root, readonlyRoot: true, args, cwd: '/', hostname: 'box', network: 'none' },
          env: ['PATH=/bin', `MARK=${home}`],
          user: { uid: 0, gid: 0, additionalGids: [] },
          ...{ mounts: [], security: 'sandbox', capAdd: [], capDrop: [], shmSize: 1 << 20 },
          ...{ ulimits: [], devices },
        },
        readAbilities(),
      );
      const output = { stdout: '', stderr: '' };
      const onOutput = async (stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void> => {
        output[stream] += Buffer.from(bytes).toString();
      };
      const io = { stdin: 'none', stdout: 'pipe', stderr: 'pipe' } as const;
      const exit: Promise<ContainerExit> = runtime.run(id, config, { io, onOutput, ...more });
      return { id, exit, output };
    };
    return { runtime, start, home };
  };
  const sh = (script: string): string[] => ['sh', '-c', script];

  describe(`${name} as a runtime`, () => {
    it('runs a container to its end, telling its status and what it printed', async () => {
      const { exit, output } = setUp().start(sh('echo out; echo err >&2; cat; exit 7'));
      expect(await exit).toEqual({ exitCode: 7 });
      expect(output).toEqual({ stdout: 'out\n', stderr: 'err\n' });
    });

    it('gives it a stream to read', async () => {
      const io = { stdin: Readable.from(['to be read']), stdout: 'pipe', stderr: 'pipe' } as const;
      const { exit, output } = setUp().start(['cat'], { io });
      expect(await exit).toEqual({ exitCode: 0 });
      expect(output.stdout).toBe('to be read');
    });

    it('makes it wait while nobody takes what it prints', async () => {
      let taken = 0;
      const onOutput = async (_: string, bytes: Uint8Array): Promise<void> => {
        taken += bytes.length;
        await setImmediate();
      };
      const { exit } = setUp().start(sh('cat /bin/busybox /bin/busybox'), { onOutput });
      await exit;
      expect(taken).toBeGreaterThan(1_000_000);
    });

    it('says why a program did not start', async () => {
      const { exit } = setUp().start(['nosuch']);
      expect(await exit).toMatchObject({
        exitCode: 127,
        reason: expect.stringContaining('nosuch'),
      });
    });

    it('passes signals to the first process, and tells of the one that ended it', async () => {
      const { runtime, start } = setUp();
      const { id, exit, output } = start(
        sh('trap "echo usr1" USR1; echo ready; while :; do sleep 0.05; done'),
      );
      await expect.poll(() => output.stdout).toContain('ready');
      runtime.kill(id, 'SIGUSR1');
      await expect.poll(() => output.stdout).toContain('usr1');
      runtime.kill(id, 'SIGKILL');
      expect(await exit).toEqual({ exitCode: 137, signal: 'SIGKILL' });
      runtime.kill(id, 'SIGKILL');
    });

    it('ends everything in it when it is aborted, and rejects then', async () => {
      const { start, home } = setUp();
      const abort = new AbortController();
      const script = 'trap "" TERM INT; sleep 600 & echo ready; sleep 600';
      const { exit, output } = start(sh(script), { signal: abort.signal });
      await expect.poll(() => output.stdout).toContain('ready');
      abort.abort(new Error('enough'));
      await expect(exit).rejects.toThrow('enough');
      expect(processesWith(`MARK=${home}`)).toEqual([]);
    });

    it('does not begin when it is aborted before', async () => {
      const signal = AbortSignal.abort(new Error('too late'));
      await expect(setUp().start(['true'], { signal }).exit).rejects.toThrow('too late');
    });

    it('leaves no state behind', async () => {
      const { start, home } = setUp();
      await start(['true']).exit;
      expect(readdirSync(join(home, 'state'))).toEqual([]);
      await untilNone(() => processesWith(`MARK=${home}`));
    });

    it('lets processes into a cgroup before they run', async () => {
      const joined: number[] = [];
      const cgroup = { join: (pid: number) => void joined.push(pid), remove: () => {} };
      expect(await setUp().start(['true'], { cgroup }).exit).toEqual({ exitCode: 0 });
      expect(joined).toHaveLength(1);
    });

    it('runs nothing that cannot be let into its cgroup', async () => {
      const join = (): never => {
        throw new Error('no room');
      };
      const { exit, output } = setUp().start(sh('echo ran'), {
        cgroup: { join, remove: () => {} },
      });
      await expect(exit).rejects.toThrow('no room');
      expect(output.stdout).toBe('');
    });
  });

  describe(`${name} as a runtime that starts a process ahead`, () => {
    const setUpWaiting = async () => {
      const parts = setUp(true);
      const waiting = () => processesWith(join(parts.home, 'state'));
      await parts.start(['true']).exit;
      await expect.poll(waiting).toHaveLength(1);
      return { ...parts, waiting };
    };

    it('runs each next container in the one that waits, and no other', async () => {
      const { start, waiting, home } = await setUpWaiting();
      for (const word of ['one', 'two']) {
        const [{ pid } = {}] = waiting();
        const { exit, output } = start(sh(`echo ${word}; sleep 0.2; exit 3`));
        await expect.poll(() => output.stdout).toBe(`${word}\n`);
        expect(waiting().map((each) => each.pid)).toContain(pid);
        expect(await exit).toEqual({ exitCode: 3 });
        expect(waiting().map((each) => each.pid)).not.toContain(pid);
        expect(readdirSync(join(home, 'state'))).toHaveLength(1);
      }
    });

    it('runs containers side by side, and knows them apart', async () => {
      const { runtime, start } = await setUpWaiting();
      const runs = ['a', 'b', 'c'].map((word) => start(sh(`echo ${word}; exec sleep 600`)));
      for (const { output } of runs) await expect.poll(() => output.stdout).not.toBe('');
      expect(runs.map(({ output }) => output.stdout)).toEqual(['a\n', 'b\n', 'c\n']);
      runtime.kill(runs[1]!.id, 'SIGKILL');
      expect(await runs[1]!.exit).toMatchObject({ exitCode: 137 });
      for (const { id, exit } of [runs[0]!, runs[2]!]) {
        runtime.kill(id, 'SIGTERM');
        runtime.kill(id, 'SIGKILL');
        expect(await exit).toMatchObject({ exitCode: 137 });
      }
    });

    it('needs none that waits, and can lose it', async () => {
      const { start, waiting } = await setUpWaiting();
      for (const { pid } of waiting()) process.kill(pid, 'SIGKILL');
      await untilNone(waiting);
      // It is heard of soon, when all that has come meanwhile is looked at.
      await setTimeout(20);
      await setImmediate();
      const { exit, output } = start(sh('echo fine'));
      expect(await exit).toEqual({ exitCode: 0 });
      expect(output.stdout).toBe('fine\n');
    });

    it('leaves it to those that are like the one before', async () => {
      const { start, waiting } = await setUpWaiting();
      const [{ pid } = {}] = waiting();
      const io = { stdin: Readable.from(['to be read']), stdout: 'pipe', stderr: 'pipe' } as const;
      const { exit, output } = start(['cat'], { io });
      await exit;
      expect(output.stdout).toBe('to be read');
      expect(waiting().map((each) => each.pid)).toEqual([pid]);
    });

    it('tells it more than a pipe holds', async () => {
      const { start } = await setUpWaiting();
      const { exit, output } = start(sh(`echo done; : ${'x'.repeat(100_000)}`));
      expect(await exit).toEqual({ exitCode: 0 });
      expect(output.stdout).toBe('done\n');
    });

    it('ends it when it is disposed of', async () => {
      const { runtime, waiting, home } = await setUpWaiting();
      runtime[Symbol.dispose]();
      await untilNone(waiting);
      expect(readdirSync(join(home, 'state'))).toEqual([]);
    });
  });
}
