import { describe, expect, it } from 'vitest';
import { createRunc } from '../../src/runtime/runc.ts';
import { runtimeContract } from '../contract/runtime.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';
import { enterPrivateMounts } from '../layer/private-mounts.ts';

enterPrivateMounts();

const env = { PATH: process.env.PATH! };

runtimeContract('runc', (state) => createRunc({ file: '/usr/sbin/runc', state, env }));

describe('runc', () => {
  it('that is not there is an error that names it', async () => {
    const directory = tempDirectory();
    const io = { stdin: 'none', stdout: 'pipe', stderr: 'pipe' } as const;
    const runc = createRunc({ file: '/no/runc', state: directory, env });
    await expect(runc.run('x', directory, { io })).rejects.toMatchObject({
      code: 'EXECUTOR',
      message: 'start /no/runc',
    });
  });
});
