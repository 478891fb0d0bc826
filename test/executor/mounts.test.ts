import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { ExecMount } from '../../src/executor/protocol.ts';
import { readIndex } from '../../src/layer/index-file.ts';
import { directoryNode, textNode } from '../helpers/busybox.ts';
import {
  type RunOutcome,
  shell,
  type TestBuilder,
  type TestHome,
  testHome,
  USERS,
} from '../helpers/executor.ts';

describe.each(USERS)('a container of %s', (user) => {
  let home: TestHome;
  let builder: TestBuilder;
  let outside: string;
  beforeAll(async () => {
    home = await testHome(user);
    builder = home.builder();
  });
  afterAll(() => home?.remove());
  beforeEach(() => {
    outside = mkdtempSync(join(tmpdir(), 'tsbuild-mounts-'));
    chmodSync(outside, 0o777);
    writeFileSync(join(outside, 'file'), 'outside');
  });
  afterEach(() => rmSync(outside, { recursive: true, force: true }));

  const run = (mounts: readonly ExecMount[], script: string): Promise<RunOutcome> =>
    builder.run({ ...shell(script), mounts });
  const paths = ({ layer }: RunOutcome): string[] =>
    layer === undefined ? [] : [...readIndex(layer).entries.keys()];
  const secret = (target: string, text = 'hush'): ExecMount => ({
    ...{ type: 'secret', target, content: Buffer.from(text) },
    ...{ mode: 0o400, uid: 7, gid: 8 },
  });

  it('sees a directory of the host, and writes to it', async () => {
    const bind: ExecMount = { type: 'bind', source: outside, target: '/in', readonly: false };
    const result = await run([bind], 'cat /in/file; echo inside > /in/made');
    expect(result).toMatchObject({ exitCode: 0, stdout: 'outside' });
    expect(readFileSync(join(outside, 'made'), 'utf8')).toBe('inside\n');
    expect(paths(result)).toEqual([]);
  });

  it('sees a file of the host in place of its own', async () => {
    const source = join(outside, 'file');
    const result = await run(
      [{ type: 'bind', source, target: '/etc/passwd', readonly: true }],
      'cat /etc/passwd',
    );
    expect(result).toMatchObject({ stdout: 'outside', layer: undefined });
  });

  it('cannot write to what is mounted read-only', async () => {
    const bind: ExecMount = { type: 'bind', source: outside, target: '/in', readonly: true };
    expect((await run([bind], 'touch /in/x')).exitCode).toBe(1);
  });

  it('has files in memory, of the size and mode that were asked for', async () => {
    const tmpfs: ExecMount = { type: 'tmpfs', target: '/mem', size: 1 << 20, mode: 0o700 };
    const result = await run([tmpfs], 'stat -c %a /mem; df -k /mem | grep -qw 1024; touch /mem/x');
    expect(result).toMatchObject({ exitCode: 0, stdout: '700\n', layer: undefined });
  });

  it('has everybody’s files in memory without being asked', async () => {
    expect((await run([{ type: 'tmpfs', target: '/mem' }], 'stat -c %a /mem')).stdout).toBe(
      '1777\n',
    );
  });

  it('sees a secret, with its owner and mode, which is nowhere else', async () => {
    const text = `secret-${process.hrtime.bigint()}`;
    const result = await run(
      [secret('/run/secrets/key', text)],
      'cd /run/secrets; cat key; stat -c " %a %u %g" key; ! echo x > key',
    );
    expect(result).toMatchObject({ exitCode: 0, stdout: `${text} 400 7 8\n`, layer: undefined });
    const grep = (): string =>
      execFileSync('sh', ['-c', `grep -rsl ${text} ${home.home} || true`], { encoding: 'utf8' });
    expect(grep()).toBe('');
  });

  it('sees what lies in another mount, in whichever order the two were asked for', async () => {
    const mem = (target: string): ExecMount => ({ type: 'tmpfs', target });
    const result = await run(
      [mem('/a/b'), mem('/a'), { type: 'bind', source: outside, target: '/a/b/c', readonly: true }],
      'touch /a/x /a/b/y; ls /a /a/b /a/b/c',
    );
    expect(result).toMatchObject({ exitCode: 0, layer: undefined });
    expect(result.stdout).toBe('/a:\nb\nx\n\n/a/b:\nc\ny\n\n/a/b/c:\nfile\n');
  });

  it('sees nothing of its /etc/hosts below a mount that hides it, and leaves nothing of it', async () => {
    const result = await run([{ type: 'tmpfs', target: '/etc' }], 'ls /etc');
    expect(result).toMatchObject({ exitCode: 0, stdout: '', layer: undefined });
  });

  it('has a cache that begins with a file', async () => {
    const layer = home.layer([{ path: 'seed', node: textNode('from a seed') }]);
    const source = join(home.home, 'cache-of-a-file');
    const owner = { mode: 0o755, uid: 0, gid: 0 };
    const seed = { layers: [layer], path: 'seed' };
    const cache: ExecMount = {
      ...{ type: 'cache', source, target: '/c', readonly: false, ...owner, seed },
    };
    expect((await run([cache], 'cat /c; echo x > /c')).stdout).toBe('from a seed');
    expect((await run([cache], 'cat /c')).stdout).toBe('x\n');
  });

  it('sees files of other layers', async () => {
    const layer = home.layer([
      { path: 'a', node: directoryNode },
      { path: 'a/b', node: directoryNode },
      { path: 'a/b/c', node: textNode('from a layer') },
      { path: 'link', node: { ...directoryNode, type: 'symlink', linkTarget: '/a/b' } },
    ]);
    const view = (path: string, target: string, readonly: boolean): ExecMount => ({
      ...{ type: 'layers', layers: [layer], path, target, readonly },
    });
    const result = await run(
      [view('link', '/ro', true), view('a/b/c', '/file', true), view('', '/rw', false)],
      'cat /ro/c /file; ! touch /ro/x 2>/dev/null; touch /rw/x; ls /rw',
    );
    expect(result).toMatchObject({ exitCode: 0, layer: undefined });
    expect(result.stdout).toBe('from a layerfrom a layera\nlink\nx\n');
  });

  it('never sees what a link in a layer points to outside', async () => {
    const layer = home.layer([
      { path: 'up', node: { ...directoryNode, type: 'symlink', linkTarget: '../../../../etc' } },
      { path: 'etc', node: directoryNode },
      { path: 'etc/mark', node: textNode('inside') },
    ]);
    const mount: ExecMount = {
      type: 'layers',
      layers: [layer],
      path: 'up',
      target: '/m',
      readonly: true,
    };
    expect((await run([mount], 'ls /m')).stdout).toBe('mark\n');
  });

  it('is refused with the path, when there is nothing to be mounted', async () => {
    const source = join(outside, 'nothing');
    await expect(
      run([{ type: 'bind', source, target: '/in', readonly: true }], 'true'),
    ).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: `mount ${source}: no such file or directory`,
    });
  });

  describe('leaves of the places for mounts', () => {
    it('nothing, with all that was made above them', async () => {
      const result = await run(
        [secret('/deep/er/key'), { type: 'tmpfs', target: '/etc/mem' }],
        'ls /deep/er /etc/mem',
      );
      expect(result).toMatchObject({ exitCode: 0, stdout: '/deep/er:\nkey\n\n/etc/mem:\n' });
      expect(paths(result)).toEqual([]);
    });

    it('what the container has put beside them', async () => {
      const result = await run([secret('/deep/er/key')], 'touch /deep/x');
      expect(paths(result)).toEqual(['deep', 'deep/x']);
    });

    it('/dev, /proc and /sys, as Docker does', async () => {
      const shell = home.layer([{ path: 'bin', node: directoryNode }, busybox()]);
      const result = await builder.run({ layers: [shell], args: ['/bin/busybox', 'true'] });
      expect(paths(result)).toEqual(['dev', 'proc', 'sys']);
    });

    it('no /dev that was made for a mount inside', async () => {
      const shell = home.layer([{ path: 'bin', node: directoryNode }, busybox()]);
      const result = await builder.run({
        ...{ layers: [shell], args: ['/bin/busybox', 'touch', '/dev/mem/x'] },
        mounts: [{ type: 'tmpfs', target: '/dev/mem' }],
      });
      expect(paths(result)).toEqual(['proc', 'sys']);
    });

    it('no /dev when /dev/shm has a size that was asked for', async () => {
      const shell = home.layer([{ path: 'bin', node: directoryNode }, busybox()]);
      const args = ['/bin/busybox', 'true'];
      const result = await builder.run({ layers: [shell], args, shmSize: 1 << 20 });
      expect(paths(result)).toEqual(['proc', 'sys']);
    });

    it('what was there before', async () => {
      const layer = home.layer([
        { path: 'mnt', node: { ...directoryNode, mode: 0o700 } },
        { path: 'mnt/file', node: textNode('below') },
      ]);
      const result = await builder.run({
        ...shell('ls /mnt'),
        layers: [home.base, layer],
        mounts: [{ type: 'tmpfs', target: '/mnt' }],
      });
      expect(result).toMatchObject({ stdout: '', layer: undefined });
    });

    it('nothing where a link leads', async () => {
      const layer = home.layer([
        { path: 'data', node: { ...directoryNode, type: 'symlink', linkTarget: '/var/data' } },
      ]);
      const result = await builder.run({
        ...shell('cat /data/key; ls /var/data'),
        layers: [home.base, layer],
        mounts: [secret('/data/key')],
      });
      expect(result).toMatchObject({ exitCode: 0, stdout: 'hushkey\n', layer: undefined });
    });

    it('nothing in another mount', async () => {
      mkdirSync(join(outside, 'sub'));
      const result = await run(
        [
          { type: 'bind', source: outside, target: '/in', readonly: false },
          { type: 'tmpfs', target: '/in/sub' },
        ],
        'touch /in/sub/x; ls /in /in/sub',
      );
      expect(result).toMatchObject({ exitCode: 0, layer: undefined });
      expect(result.stdout).toBe('/in:\nfile\nsub\n\n/in/sub:\nx\n');
    });
  });
});

function busybox() {
  const [file, size] = ['/bin/busybox', readFileSync('/bin/busybox').length];
  const content = { file, offset: 0, size };
  return { path: 'bin/busybox', node: { ...textNode(''), mode: 0o755, size, content } };
}
