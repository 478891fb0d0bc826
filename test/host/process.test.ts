import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { descendants, findExecutable, runCommand } from '../../src/host/process.ts';
import { tempDirectory } from '../helpers/temp-directory.ts';

const env = { PATH: '/usr/bin:/bin' };
const sh = (script: string, options = {}) => runCommand('sh', ['-c', script], { env, ...options });

describe('a command', () => {
  it('runs to its end, and tells what it printed and how it ended', async () => {
    const { status, signal, stdout, stderr } = await sh('echo out; echo err >&2; exit 3');
    expect([status, signal, `${stdout}`, `${stderr}`]).toEqual([3, undefined, 'out\n', 'err\n']);
  });

  it('reads its input, or none', async () => {
    expect(`${(await sh('cat', { input: Buffer.from('in') })).stdout}`).toBe('in');
    expect(`${(await sh('cat')).stdout}`).toBe('');
    expect((await sh('exit 0', { input: Buffer.alloc(1 << 20) })).status).toBe(0);
  });

  it('that was killed says by what', async () => {
    expect(await sh('kill -9 $$')).toMatchObject({ status: undefined, signal: 'SIGKILL' });
  });

  it('that prints without end fills no memory', async () => {
    const { stdout } = await sh('yes | head -c 1000000', { maxOutput: 1000 });
    expect(stdout.length).toBe(1000);
  });

  it('that does not exist is an error', async () => {
    await expect(runCommand('/no/such', [], { env })).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('is killed with its children when it is aborted', async () => {
    const abort = new AbortController();
    const running = sh('sleep 100 & sleep 100; echo', { signal: abort.signal });
    await expect.poll(() => descendants(process.pid).length).toBeGreaterThanOrEqual(3);
    abort.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    await expect(sh('true', { signal: abort.signal })).rejects.toThrow('enough');
  });
});

describe('a program', () => {
  it('is found as the shell finds it', () => {
    const directory = tempDirectory();
    const place = (name: string, mode: number): string => {
      mkdirSync(join(directory, name));
      const file = join(directory, name, 'tool');
      writeFileSync(file, '');
      chmodSync(file, mode);
      return file;
    };
    place('not-executable', 0o644);
    mkdirSync(join(directory, 'directory/tool'), { recursive: true });
    const [first] = [place('first', 0o755), place('second', 0o755)];
    const path = ['nothing', 'directory', 'not-executable', 'first', 'second'];
    const searchPath = path.map((name) => join(directory, name)).join(':');
    expect(findExecutable('tool', searchPath)).toBe(first);
    expect(findExecutable('other', searchPath)).toBe(undefined);
    expect(findExecutable(first, '')).toBe(first);
  });
});
