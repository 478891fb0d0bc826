import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { hideCgroups } from '../../src/executor/own-mounts.ts';
import { MNT_DETACH, umount } from '../../src/host/syscalls.ts';
import { createCrun, crunFailure } from '../../src/runtime/crun.ts';
import { runtimeContract } from '../contract/runtime.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { enterPrivateMounts } from '../layer/private-mounts.ts';

enterPrivateMounts();

const env = { PATH: process.env.PATH! };

// crun wants to see the one hierarchy of version 2, as the executor shows it.
beforeAll(() => {
  const scratch = mkdtempSync(join(tmpdir(), 'tsbuild-cgroup-'));
  hideCgroups(scratch);
  rmdirSync(scratch);
});

runtimeContract('crun', ({ state, ahead }) => {
  // Goes with the mount namespace of the executor otherwise.
  onTestFinished(() => umount(`${state}.program/crun`, MNT_DETACH));
  return createCrun({ file: '/usr/bin/crun', state, env, ahead });
});

describe('a container that did not start', () => {
  it.each([
    [
      'executable file `nosuch` not found in $PATH: No such file or directory',
      127,
      'exec: "nosuch": executable file not found in $PATH',
    ],
    ['open executable: Permission denied', 126, 'exec: permission denied'],
    ['open executable: Operation not permitted', 126, 'exec: is a directory'],
    [
      'exec container process `/bin/x`: Exec format error',
      255,
      'exec: "/bin/x": exec format error',
    ],
    [
      'exec container process (missing dynamic library?) `/bin/x`: No such file or directory',
      255,
      'exec: "/bin/x": no such file or directory',
    ],
  ])('because of "%s" has the status %i', (problem, exitCode, reason) => {
    expect(crunFailure(problem)).toEqual({ exitCode, reason });
  });

  it('for any other reason is an error', () => {
    const problem = 'mount `proc` to `proc`: Operation not permitted';
    expect(() => crunFailure(problem)).toThrow(`start the container: ${problem}`);
  });
});

it('that is not there is an error that names it', async () => {
  using crun = createCrun({ file: '/no/crun', state: tempDirectory(), env });
  const io = { stdin: 'none', stdout: 'pipe', stderr: 'pipe' } as const;
  await expect(crun.run('x', '{}', { io })).rejects.toMatchObject({
    code: 'EXECUTOR',
    message: 'start /no/crun',
  });
});
