import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textNode } from '../helpers/busybox.ts';
import { shell, type TestBuilder, type TestHome, testHome, USERS } from '../helpers/executor.ts';

describe.each(USERS)('an executor of %s', (user) => {
  let home: TestHome;
  let builder: TestBuilder;
  beforeAll(async () => {
    home = await testHome(user);
    builder = home.builder();
  });
  afterAll(() => home?.remove());

  const output = async (...args: Parameters<TestBuilder['run']>): Promise<string> => {
    const { exitCode, stdout, stderr } = await builder.run(...args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    return stdout;
  };

  describe('runs a process', () => {
    it('handing its output on, each stream as itself, with an empty stdin', async () => {
      const { exitCode, stdout, stderr, layer } = await builder.run('echo out; echo err >&2; cat');
      expect({ exitCode, stdout, stderr, layer }).toEqual({
        exitCode: 0,
        stdout: 'out\n',
        stderr: 'err\n',
        layer: undefined,
      });
    });

    it('that opens its standard streams by name, whoever it is', async () => {
      const script = 'echo out > /dev/stdout; echo err > /dev/stderr';
      for (const id of [0, 5]) {
        const result = await builder.run({
          ...shell(script),
          user: { uid: id, gid: id, additionalGids: [] },
        });
        expect(result).toMatchObject({ exitCode: 0, stdout: 'out\n', stderr: 'err\n' });
      }
    });

    it('that prints more than pipes hold', async () => {
      const text = await output('yes 0123456789abcde | head -c 8000000');
      expect(text.length).toBe(8_000_000);
    });

    it.each([
      ['its exit status', ['sh', '-c', 'touch /x; exit 42'], { exitCode: 42 }],
      ['127 for a program that is not there', ['nosuch'], { exitCode: 127 }],
      ['127 for a path that is not there', ['/no/such'], { exitCode: 127 }],
      ['126 for what cannot be run', ['/etc/passwd'], { exitCode: 126 }],
      ['126 for a directory', ['/etc'], { exitCode: 126 }],
    ])('and tells %s, making no layer of a failure', async (_, args, expected) => {
      const { exitCode, signal, layer } = await builder.run({ args });
      expect({ exitCode, signal, layer }).toEqual({
        signal: undefined,
        layer: undefined,
        ...expected,
      });
    });

    it('with the environment, user, groups and directory that were asked for', async () => {
      const text = await output({
        args: ['sh', '-c', 'id -u; id -g; id -G; pwd; echo $GREETING; echo $HOME'],
        env: ['PATH=/bin', 'GREETING=hello world'],
        user: { uid: 1000, gid: 1000, additionalGids: [7, 9] },
        cwd: '/home',
      });
      expect(text).toBe('1000\n1000\n1000 7 9\n/home\nhello world\n/home\n');
    });

    it('in a directory that is made, as the user’s own, when it is not there', async () => {
      const { stdout, tree } = await builder.run({
        args: ['sh', '-c', 'pwd; touch file'],
        user: { uid: 1000, gid: 1000, additionalGids: [] },
        cwd: '/work/deep',
      });
      expect(stdout).toBe('/work/deep\n');
      expect(tree.lookup('work/deep/file')).toMatchObject({ uid: 1000, gid: 1000 });
      expect(tree.lookup('work')).toMatchObject({ uid: 1000, gid: 1000, mode: 0o755 });
    });

    it('beside others', async () => {
      const texts = await Promise.all(
        [1, 2, 3, 4].map((number) => output(`echo ${number}; sleep 0.1; echo ${number}`)),
      );
      expect(texts).toEqual(['1\n1\n', '2\n2\n', '3\n3\n', '4\n4\n']);
    });

    it('and tells the signal that killed it', async () => {
      const run = builder.start({ id: 'killed', args: ['sh', '-c', 'echo ready; sleep 60'] });
      await run.printed('ready');
      builder.kill('killed', 'SIGKILL');
      expect(await run.outcome).toMatchObject({ exitCode: 137, signal: 'SIGKILL' });
    });

    it('to which it passes signals', async () => {
      const run = builder.start({
        id: 'signalled',
        args: [
          'sh',
          '-c',
          'trap "echo got it; exit 7" USR1; echo ready; while :; do sleep 0.05; done',
        ],
      });
      await run.printed('ready');
      builder.kill('nobody', 'SIGUSR1');
      builder.kill('signalled', 'SIGUSR1');
      expect(await run.outcome).toMatchObject({ exitCode: 7, stdout: 'ready\ngot it\n' });
    });
  });

  describe('keeps a process apart', () => {
    it('from other processes and names', async () => {
      const text = await output('echo /proc/[0-9]*; hostname');
      expect(text).toBe('/proc/1\ntsbuild\n');
    });

    it('from the network, when there shall be none', async () => {
      const text = await output('ls /sys/class/net; ip addr show lo | grep -o "inet 127[^ ]*"');
      expect(text).toBe('lo\ninet 127.0.0.1/8\n');
    });

    it('or lets it have the host’s', async () => {
      const host = await output({ args: ['readlink', '/proc/self/ns/net'], network: 'host' });
      const none = await output({ args: ['readlink', '/proc/self/ns/net'] });
      expect(host).not.toBe(none);
      expect(await output({ args: ['ls', '/sys/class/net'], network: 'host' })).toContain('lo');
    });

    it('from more capabilities than Docker gives', async () => {
      const text = await output('grep -E "Cap(Inh|Prm|Eff|Bnd|Amb)" /proc/self/status | cut -f 2');
      const docker = '00000000a80425fb';
      const none = '0000000000000000';
      expect(text).toBe(`${[none, docker, docker, docker, none].join('\n')}\n`);
    });

    it('giving and taking capabilities on request', async () => {
      const text = await output({
        args: ['grep', 'CapEff', '/proc/self/status'],
        capDrop: ['ALL'],
        capAdd: ['chown', 'CAP_KILL'],
      });
      expect(text).toBe('CapEff:\t0000000000000021\n');
    });

    it('an ordinary user holding none of them', async () => {
      const text = await output({
        args: ['grep', '-E', 'Cap(Prm|Eff)', '/proc/self/status'],
        user: { uid: 1000, gid: 1000, additionalGids: [] },
      });
      expect(text).toBe('CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n');
    });

    it.each([
      ['mount', 'mount -t tmpfs none /tmp'],
      ['a new namespace', 'unshare -m true'],
      ['a new user namespace', 'unshare -U true'],
      ['the host name', 'hostname evil'],
      ['the clock', 'date -s 2000-01-01 >/dev/null; test $(date +%Y) = 2000'],
      ['kernel settings', 'echo 1 > /proc/sys/kernel/panic'],
      ['the kernel’s sysrq', 'echo h > /proc/sysrq-trigger'],
      ['the kernel’s log', 'dmesg -n 1'],
      ['/sys', 'touch /sys/kernel/x'],
      ['a disk', 'mknod /disk b 254 0 && head -c 1 /disk'],
      ['a disk through /dev', 'mknod /dev/disk b 254 0 && head -c 1 /dev/disk'],
      ['kernel memory', 'mknod /dev/shm/mem c 1 1 && head -c 1 /dev/shm/mem'],
    ])('from %s', async (_, script) => {
      const { exitCode, stdout } = await builder.run(script);
      expect({ failed: exitCode !== 0, stdout }).toEqual({ failed: true, stdout: '' });
    });

    it.each(['/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware', '/proc/acpi'])(
      'hiding %s of the host',
      async (path) => {
        expect(
          await output(`test ! -e ${path} || { test -d ${path} && ls ${path} || cat ${path}; }`),
        ).toBe('');
      },
    );

    it('with a filter of system calls', async () => {
      expect(await output('grep -E "^Seccomp:" /proc/self/status')).toBe('Seccomp:\t2\n');
    });

    it('unless it shall be insecure', async () => {
      const text = await output({
        args: [
          'sh',
          '-c',
          'grep -E "^Seccomp:" /proc/self/status; mount -t tmpfs none /tmp; echo yes',
        ],
        security: 'insecure',
      });
      expect(text).toBe('Seccomp:\t0\nyes\n');
    });

    it.each([false, true])('from devices that are not its own (root read-only: %s)', async (ro) => {
      const device = { ...textNode(''), type: 'char', device: { major: 1, minor: 5 } } as const;
      const layers = [home.base, home.layer([{ path: 'zero', node: device }])];
      const script = ro ? '' : 'mknod /made c 1 5 2>/dev/null || :;';
      const text = await output({
        ...{ layers, readonlyRootfs: ro },
        ...shell(
          `${script} for n in /zero /made; do head -c 1 $n >/dev/null 2>&1 && echo $n; done; :`,
        ),
      });
      expect(text).toBe('');
    });

    it('which changes no device node of the host’s', async () => {
      await builder.run('chmod 000 /dev/null; chown 5:5 /dev/zero; true');
      expect(await output('ls -l /dev/null | cut -c 1-10; echo x > /dev/null')).toBe(
        'crw-rw-rw-\n',
      );
      expect(statSync('/dev/null').mode & 0o777).toBe(0o666);
      expect(statSync('/dev/zero').uid).toBe(0);
    });
  });

  describe('gives a process', () => {
    it('the usual devices', async () => {
      const text = await output(
        'cd /dev; ls | grep -v ^core$; head -c 3 zero | wc -c; head -c 3 urandom | wc -c; echo x > null; readlink fd; readlink ptmx',
      );
      const names = 'fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero';
      expect(text).toBe(`${names.replaceAll(' ', '\n')}\n3\n3\n/proc/self/fd\npts/ptmx\n`);
    });

    it('a /dev/shm of the size that was asked for', async () => {
      const text = await output({ args: ['df', '-k', '/dev/shm'], shmSize: 32 << 20 });
      expect(text).toContain(' 32768 ');
    });

    it('limits, at most those that we have', async () => {
      const text = await output({
        args: ['sh', '-c', 'ulimit -n; ulimit -Hn; ulimit -c'],
        ulimits: [
          { name: 'nofile', soft: 100, hard: 200 },
          { name: 'core', soft: 0, hard: -1 },
        ],
      });
      expect(text).toBe('100\n200\n0\n');
    });

    it('limits that are higher than ours, as far as they go', async () => {
      const ulimits = [{ name: 'nofile', soft: 2 ** 40, hard: 2 ** 40 }];
      expect(Number(await output({ args: ['sh', '-c', 'ulimit -n'], ulimits }))).toBeGreaterThan(0);
    });

    it('name resolution, which it cannot change in a build', async () => {
      const text = await output({
        args: [
          'sh',
          '-c',
          'cat /etc/hosts; echo; cat /etc/resolv.conf; ! echo x 2>/dev/null > /etc/hosts',
        ],
        hostname: 'box',
        addHosts: [['db', '10.1.2.3']],
      });
      expect(text).toMatch(/^127\.0\.0\.1\tlocalhost box\n::1\t.*\n10\.1\.2\.3\tdb\n/);
    });

    it('a name for itself', async () => {
      expect(await output({ args: ['hostname'], hostname: 'box' })).toBe('box\n');
    });

    if (user !== 'tsbuild-test') {
      it('a control group below the one that was asked for, as long as it runs', async () => {
        const cgroupParent = `tsbuild-test/${home.home.slice(-6)}`;
        const result = await builder.run({ args: ['cat', '/proc/self/cgroup'], cgroupParent });
        expect(result).toMatchObject({ exitCode: 0, stderr: '' });
        expect(result.stdout).toContain(`/${cgroupParent}/`);
        const groups = execFileSync('find', ['/sys/fs/cgroup', '-path', `*/${cgroupParent}*`]);
        const found = groups.toString().trim().split('\n');
        expect(found.filter((path) => path.includes(`${cgroupParent}/tsbuild-`))).toEqual([]);
        execFileSync('find', [
          '/sys/fs/cgroup',
          '-depth',
          '-type',
          'd',
          '-path',
          '*/tsbuild-test*',
          '-delete',
        ]);
      });
    } else {
      it('no control group, and says so', async () => {
        await expect(
          builder.run({ args: ['true'], cgroupParent: 'tsbuild-test' }),
        ).rejects.toMatchObject({ code: 'UNSUPPORTED_HOST' });
      });
    }

    it('a root that it cannot write to', async () => {
      const { exitCode } = await builder.run({ args: ['touch', '/x'], readonlyRootfs: true });
      expect(exitCode).not.toBe(0);
    });

    it('a root of nothing, when there is no layer', async () => {
      const text = await output({
        layers: [],
        mounts: [
          { type: 'layers', layers: [home.base], path: 'bin', target: '/bin', readonly: true },
        ],
        args: ['/bin/ls', '/'],
      });
      expect(text).toBe('bin\ndev\netc\nproc\nsys\n');
    });
  });

  it('names what is wrong with a request', async () => {
    await expect(builder.run({ capAdd: ['FLY'] })).rejects.toMatchObject({
      code: 'USAGE',
      message: 'unknown capability "FLY"',
    });
    await expect(builder.run({ ulimits: [{ name: 'x', soft: 1, hard: 1 }] })).rejects.toMatchObject(
      { code: 'USAGE', message: 'unknown ulimit "x"' },
    );
  });
});
