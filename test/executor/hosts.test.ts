/** Machines that are not as one would wish: each test makes one in a mount namespace of its own. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MNT_DETACH, MS_BIND, mount, umount } from '../../src/host/syscalls.ts';
import { readIndex } from '../../src/layer/index-file.ts';
import { textNode } from '../helpers/busybox.ts';
import { shell, type TestHome, testHome, USERS } from '../helpers/executor.ts';
import { enterPrivateMounts } from '../layer/private-mounts.ts';

enterPrivateMounts();

const RUNTIMES = ['crun', 'runc'];

let place: string;
let home: TestHome | undefined;
let mounted: string[];
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'tsbuild-hosts-'));
  chmodSync(place, 0o755);
  mounted = [];
});
afterEach(async () => {
  await home?.remove();
  home = undefined;
  for (const target of mounted.reverse()) umount(target, MNT_DETACH);
  rmSync(place, { recursive: true, force: true });
});

const over = (source: string, target: string, type = '', data = ''): void => {
  mount(source, target, type, type === '' ? MS_BIND : 0, data);
  mounted.push(target);
};

describe.each(USERS)('a run by %s', (user) => {
  it('works with the store on an overlay, copying files, and says so', async () => {
    const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => {
      mkdirSync(join(place, name));
      return join(place, name);
    });
    over('overlay', merged!, 'overlay', `lowerdir=${lower},upperdir=${upper},workdir=${work}`);
    home = await testHome(user, merged);
    const builder = home.builder();
    const top = home.layer([{ path: 'a', node: textNode('a') }]);
    const layers = [home.base, top];
    const { layer, ...result } = await builder.run({ ...shell('cat a; echo b > b; rm a'), layers });
    expect(result).toMatchObject({ exitCode: 0, stdout: 'a' });
    expect([...readIndex(layer!).entries.keys()].sort()).toEqual(['a', 'b']);
    expect(builder.warnings).toEqual([expect.stringContaining('overlayfs does not work here')]);
    const next = await builder.run({ ...shell('cat b; ls -d a'), layers: [...layers, layer!] });
    expect(next).toMatchObject({ exitCode: 1, stdout: 'b\n' });
  });

  it.each(RUNTIMES)(
    'works with cgroups of version 2, seeing but not writing them, leaving none, with %s',
    async (runtime) => {
      const groups = '/sys/fs/cgroup';
      umount(groups, MNT_DETACH);
      mount('cgroup2', groups, 'cgroup2', 0);
      home = await testHome(user);
      const result = await home
        .builder({ runtime })
        .run('cat /sys/fs/cgroup/cgroup.procs | wc -l; ! mkdir /sys/fs/cgroup/x');
      expect(result).toMatchObject({ exitCode: 0 });
      const found = execFileSync('find', [groups, '-name', 'run-*'], { encoding: 'utf8' });
      expect(found).toBe('');
    },
  );

  it('names the runtime and its package where there is none', async () => {
    over(join(place), '/usr/sbin', '');
    for (const tool of ['newuidmap', 'newgidmap', 'unshare', 'setpriv']) {
      symlinkSync(join('/usr/bin', tool), join(place, tool));
    }
    home = await testHome(user);
    await expect(home.builder({ runtime: 'runc' }).run('true')).rejects.toMatchObject({
      code: 'UNSUPPORTED_HOST',
      message: 'run a container: there is no runc',
      hint: expect.stringContaining('apt-get install runc'),
    });
  });
});

describe('an ordinary user', () => {
  const user = 'tsbuild-test';

  it.each(['subuid', 'subgid'])('without ids in /etc/%s is told what to do', async (name) => {
    const file = join(place, name);
    writeFileSync(file, `someone:100000:65536\n${user}:200000:10\n`);
    over(file, `/etc/${name}`);
    home = await testHome(user);
    await expect(home.builder().run('true')).rejects.toMatchObject({
      code: 'UNSUPPORTED_HOST',
      message: `run without root: /etc/${name} has only 10 ids for ${user}`,
      hint: expect.stringContaining('usermod --add-subuids'),
    });
  });

  it('without newuidmap is told which package has it', async () => {
    const file = join(place, 'nothing');
    writeFileSync(file, '');
    over(file, '/usr/bin/newuidmap');
    home = await testHome(user);
    await expect(home.builder().run('true')).rejects.toMatchObject({
      code: 'UNSUPPORTED_HOST',
      message: 'run a step: there is no newuidmap',
      hint: expect.stringContaining('apt-get install uidmap'),
    });
  });
});
