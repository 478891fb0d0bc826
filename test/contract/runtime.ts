/** What every runtime owes. Each implementation's test calls this, in a mount namespace of its own. */
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readAbilities } from '../../src/runtime/abilities.ts';
import { makeDevices } from '../../src/runtime/devices.ts';
import type { ContainerExit, RunOptions, Runtime } from '../../src/runtime/runtime.ts';
import { runtimeConfig } from '../../src/runtime/spec.ts';
import { processesWith, untilNone } from '../helpers/processes.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

export function runtimeContract(name: string, create: (state: string) => Runtime): void {
  const setUp = () => {
    const home = tempDirectory();
    const root = join(home, 'root');
    for (const path of ['bin', 'dev', 'proc', 'sys'])
      mkdirSync(join(root, path), { recursive: true });
    cpSync('/bin/busybox', join(root, 'bin/busybox'));
    for (const applet of ['sh', 'cat', 'sleep', 'true'])
      symlinkSync('busybox', join(root, 'bin', applet));
    const devices = makeDevices(join(home, 'devices'));
    mkdirSync(join(home, 'state'));
    const runtime = create(join(home, 'state'));
    let runs = 0;
    const start = (args: readonly string[], more: Partial<RunOptions> = {}) => {
      runs += 1;
      const id = `run-${runs}`;
      const bundle = join(home, id);
      mkdirSync(bundle);
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
      writeFileSync(join(bundle, 'config.json'), config);
      const output = { stdout: '', stderr: '' };
      const onOutput = async (stream: 'stdout' | 'stderr', bytes: Uint8Array): Promise<void> => {
        output[stream] += Buffer.from(bytes).toString();
      };
      const io = { stdin: 'none', stdout: 'pipe', stderr: 'pipe' } as const;
      const exit: Promise<ContainerExit> = runtime.run(id, bundle, { io, onOutput, ...more });
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
        await new Promise((resolve) => setImmediate(resolve));
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
      const { id, exit } = start(['true']);
      await exit;
      expect(existsSync(join(home, 'state', id))).toBe(false);
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
}
