import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ContainerOptions, containerRequest } from '../../src/container/run.ts';
import { stackTree } from '../../src/layer/stack.ts';
import type { RunConfig } from '../../src/oci/config.ts';
import { bundleEntries, type Entries } from '../helpers/entries.ts';
import { idsOf, type TestHome, testHome, USERS } from '../helpers/executor.ts';
import { processesWith, untilNone } from '../helpers/processes.ts';
import { openTerminal } from '../helpers/terminal.ts';

describe.each(USERS)('a container in the foreground, run by %s,', (user) => {
  let home: TestHome;
  let entries: Entries;
  let place: string;
  beforeAll(async () => {
    home = await testHome(user);
    entries = await bundleEntries({ driver: 'test/helpers/container-driver.ts' });
    place = mkdtempSync(join(tmpdir(), 'tsbuild-container-'));
    chmodSync(place, 0o777);
  });
  afterAll(async () => {
    await home?.remove();
    await entries?.[Symbol.asyncDispose]();
    rmSync(place, { recursive: true, force: true });
  });

  const ids = idsOf(user);
  const base: RunConfig = { Env: ['PATH=/bin'] };
  let count = 0;
  /** The arguments for node that run the container. */
  const driver = (options: Partial<ContainerOptions>, config: RunConfig = {}): string[] => {
    count += 1;
    const file = join(place, `${count}.json`);
    const id = `container-${count}`;
    const job = {
      ...{ home: home.home, entry: home.entries.file('executor'), layers: [home.base] },
      dedicated: user === 'dedicated root',
      config: { ...base, ...config },
      options: { id, cwd: place, stdio: 'inherit', ...options },
    };
    writeFileSync(file, JSON.stringify(job));
    return [entries.file('driver'), file];
  };
  const start = (options: Partial<ContainerOptions>, config?: RunConfig): ChildProcess =>
    spawn(process.execPath, driver(options, config), { stdio: 'pipe', env: {}, ...ids });
  const run = async (options: Partial<ContainerOptions>, config?: RunConfig, input = '') => {
    const child = start(options, config);
    child.stdin!.on('error', () => {}).end(input);
    const [status, stdout, stderr] = await Promise.all([
      once(child, 'close').then(([code]) => code),
      text(child.stdout!),
      text(child.stderr!),
    ]);
    return { status, stdout, stderr };
  };
  const sh = (script: string): { command: string[] } => ({ command: ['sh', '-c', script] });

  it('is what the image says', async () => {
    const config = {
      ...{ Entrypoint: ['sh', '-c'], Cmd: ['id -un; pwd; echo $HOME $X; exit 3'] },
      ...{ User: 'app', WorkingDir: '/tmp', Env: ['PATH=/bin', 'X=y'] },
    };
    expect(await run({}, config)).toEqual({
      status: 3,
      stdout: 'app\n/tmp\n/home y\n',
      stderr: '',
    });
  });

  it('has this process’s stdin when asked for, and none otherwise', async () => {
    expect(await run({ command: ['cat'], interactive: true }, {}, 'typed')).toMatchObject({
      stdout: 'typed',
    });
    expect(await run({ command: ['cat'] }, {}, 'typed')).toMatchObject({ stdout: '' });
  });

  it('writes to this process’s own stdout and stderr', async () => {
    const result = await run(sh('echo out; echo err >&2'));
    expect(result).toEqual({ status: 0, stdout: 'out\n', stderr: 'err\n' });
  });

  it.each([
    ['127 without such a program', { command: ['nosuch'] }, 127],
    ['126 for what is no program', { command: ['/etc/passwd'] }, 126],
    ['125 without any command', {}, 125],
    ['125 for a user who does not exist', { command: ['true'], user: 'nobody-here' }, 125],
    ['143 when it was told to end', sh('kill $$; sleep 9'), 143],
  ])('has the status %s', async (_, options, status) => {
    const config = status === 143 ? { Entrypoint: ['sh', '-c', '"$0" "$@"; exit $?'] } : {};
    expect((await run(options, config)).status).toBe(status);
  });

  it('sees volumes, which are made when they are not there', async () => {
    const result = await run({
      ...sh('echo data > /v/file; ! touch /r/x'),
      volumes: ['./made/here:/v', `${place}:/r:ro`],
    });
    expect(result.status).toBe(0);
    expect(readFileSync(join(place, 'made/here/file'), 'utf8')).toBe('data\n');
  });

  it('may write its own hosts file', async () => {
    const { stdout, status } = await run({
      ...sh('echo "10.0.0.2 x" >> /etc/hosts; cat /etc/hosts /etc/hostname'),
      ...{ hostname: 'box', network: 'none', addHosts: [['db', '10.0.0.1']] },
    });
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout:
        '127.0.0.1\tlocalhost box\n::1\tlocalhost ip6-localhost ip6-loopback\n10.0.0.1\tdb\n10.0.0.2 x\nbox\n',
    });
  });

  it('is on the host’s network unless told otherwise, and finds itself', async () => {
    const { stdout } = await run({
      ...sh('readlink /proc/self/ns/net; grep -c box /etc/hosts'),
      hostname: 'box',
    });
    expect(stdout).toMatch(/^net:\[\d+\]\n1\n$/);
  });

  it('drops what it wrote', async () => {
    await run(sh('touch /written'));
    expect((await run({ command: ['ls', '/written'] })).status).toBe(1);
  });

  it('gets the signals', async () => {
    const child = start(
      sh('trap "echo term; exit 9" TERM; echo ready; while :; do sleep 0.05; done'),
    );
    let seen = '';
    for await (const piece of child.stdout!) {
      seen += piece;
      if (seen === 'ready\n') child.kill('SIGTERM');
    }
    expect({ seen, status: child.exitCode ?? (await once(child, 'exit'))[0] }).toEqual({
      seen: 'ready\nterm\n',
      status: 9,
    });
  });

  it('is gone when this process is killed', async () => {
    const child = start({ ...sh('echo ready; sleep 600'), env: [`MARK=${place}`] });
    await once(child.stdout!, 'data');
    child.kill('SIGKILL');
    await untilNone(() => processesWith(`MARK=${place}`));
  });

  describe('with a terminal', () => {
    const inTerminal = async (
      options: Partial<ContainerOptions>,
      use: (terminal: ReturnType<typeof openTerminal>) => Promise<void>,
    ) => {
      using terminal = openTerminal(30, 100);
      const child = terminal.spawn(process.execPath, driver(options), ids);
      const closed = once(child, 'close');
      await use(terminal);
      const [status] = await closed;
      return { status, shown: terminal.shown() };
    };

    it('has one of its own, as large as ours, and grows with it', async () => {
      const { status, shown } = await inTerminal(
        {
          ...sh(
            'tty; stty size; echo $TERM; trap "stty size; exit 4" WINCH; echo ready; while :; do sleep 0.05; done',
          ),
          ...{ tty: true, interactive: true },
        },
        async (terminal) => {
          await terminal.shows('ready');
          terminal.resize(40, 120);
        },
      );
      expect(shown.replaceAll('\r', '')).toBe('/dev/pts/0\n30 100\nxterm\nready\n40 120\n');
      expect(status).toBe(4);
    });

    it('gets what is typed, Ctrl-C as an interrupt of its own', async () => {
      const { status, shown } = await inTerminal(
        {
          ...sh(
            'stty -echo; echo ready; read line; echo "<$line>"; trap "echo int; exit 5" INT; echo trap; while :; do sleep 0.05; done',
          ),
          ...{ tty: true, interactive: true },
        },
        async (terminal) => {
          await terminal.shows('ready');
          terminal.type('hello\r');
          await terminal.shows('trap');
          terminal.type('\x03');
        },
      );
      expect(shown.replaceAll('\r', '')).toBe('ready\n<hello>\ntrap\nint\n');
      expect(status).toBe(5);
    });

    it('can do without one of its own, reading ours, interrupted once by Ctrl-C', async () => {
      const { status, shown } = await inTerminal(
        {
          ...sh(
            'read line; echo "<$line>"; trap "echo int" INT; echo ready; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.05; done; exit 6',
          ),
          interactive: true,
        },
        async (terminal) => {
          terminal.type('hello\r');
          await terminal.shows('ready');
          terminal.type('\x03');
        },
      );
      expect(shown.replaceAll('\r', '')).toBe('hello\n<hello>\nready\n^Cint\n');
      expect(status).toBe(6);
    });

    it('is refused one where nobody types', async () => {
      const result = await run({ command: ['true'], tty: true });
      expect(result).toMatchObject({
        status: 125,
        stderr: expect.stringContaining('not a terminal'),
      });
    });
  });

  it('cannot start in a directory that is not absolute', () => {
    const image = { layers: [], config: {}, tree: stackTree([]) };
    const options = { id: 'x', cwd: '/', stdio: 'none', command: ['a'], workdir: 'b' } as const;
    expect(() => containerRequest(image, options)).toThrow('the path must be absolute');
  });
});
