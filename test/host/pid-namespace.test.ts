import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { makePidNamespace } from '../../src/host/pid-namespace.ts';
import { kill, pidsOf } from '../../src/host/process.ts';

const PATH = process.env.PATH!;

it('has what is started in there as a child, and shows it the processes of its own', async () => {
  using namespace = await makePidNamespace(PATH);
  const [file, ...args] = [...namespace.command, 'sh', '-c', 'cat /proc/1/comm; exec sleep 600'];
  const child = namespace.enter(() => spawn(file!, args, { stdio: ['ignore', 'pipe', 'inherit'] }));
  const [first] = await once(child.stdout!, 'data');
  expect(String(first)).toBe('sh\n');
  // Here, and in there.
  expect(pidsOf(child.pid!)).toEqual([child.pid, expect.any(Number)]);
  expect(readlinkSync('/proc/self/ns/pid_for_children')).toBe(readlinkSync('/proc/self/ns/pid'));
  kill(child.pid!, 'SIGKILL');
  await once(child, 'close');
  expect(await namespace.isThere()).toBe(true);
});

it('ends all that lives in there, whatever that thinks of it', async () => {
  const namespace = await makePidNamespace(PATH);
  const script = 'trap "" TERM HUP INT; sleep 600 & echo ready; wait';
  const child = namespace.enter(() => spawn('sh', ['-c', script], { stdio: 'pipe' }));
  const output = text(child.stdout);
  const closed = once(child, 'close');
  await once(child.stdout, 'data');
  const ended = new Promise<void>((resolve) => namespace.onEnd(resolve));
  namespace[Symbol.dispose]();
  // With the pipe that the sleep has open, too.
  expect(await closed).toEqual([null, 'SIGKILL']);
  expect(await output).toBe('ready\n');
  await ended;
  expect(await namespace.isThere()).toBe(false);
});

it('needs programs, and says which', async () => {
  await expect(makePidNamespace('/nowhere')).rejects.toMatchObject({
    code: 'UNSUPPORTED_HOST',
    hint: expect.stringContaining('util-linux'),
  });
});
