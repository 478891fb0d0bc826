/** What a runtime's log and status mean, told by a program that plays the runtime; crun.test.ts and runc.test.ts run real ones. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createRuntime, usualArgs } from '../../src/runtime/container-process.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

/** Runs a program that writes a log and ends with a status. */
function runWith(log: string, status: number) {
  const home = tempDirectory();
  writeFileSync(join(home, 'log'), log);
  const script = `cat ${join(home, 'log')} > "$4"; exit ${status}`;
  using runtime = createRuntime(
    {
      command: (file, directory) => [file, '-c', script, 'sh', ...usualArgs(directory)],
      readPid: () => undefined,
      startFailure: (reason) => ({ exitCode: 127, reason }),
    },
    { file: '/bin/sh', state: home, env: { PATH: process.env.PATH! } },
  );
  const io = { stdin: 'none', stdout: 'pipe', stderr: 'pipe' } as const;
  return runtime.run('id', '{}', { io });
}

test.each([
  ['{"msg":"no such program","level":"error","time":"now"}\n'],
  ['{ "msg": "no such program", "level": "error" }\n'],
  ['{"level":"error","msg":"a cause"}\n{"level":"error","msg":"no such program"}\n'],
  ['{"level":"error","msg":"no such program"}\nplain text\n{"level":"warning","msg":"later"}\n'],
])('an error in the log is why the container did not start: %s', async (log) => {
  expect(await runWith(log, 1)).toEqual({ exitCode: 127, reason: 'no such program' });
});

test.each([
  ['nothing', '', 3, { exitCode: 3 }],
  ['a warning', '{"level":"warning","msg":"no cgroup"}\n', 3, { exitCode: 3 }],
  ['plain text', 'cannot remove the directory: Device busy\n', 1, { exitCode: 1 }],
  ['something else', 'null\n7\n', 137, { exitCode: 137, signal: 'SIGKILL' }],
  ['an error that the container outlived', '{"level":"error","msg":"x"}\n', 0, { exitCode: 0 }],
])('with %s in the log, the status is that of the container', async (_, log, status, exit) => {
  expect(await runWith(log, status)).toEqual(exit);
});
