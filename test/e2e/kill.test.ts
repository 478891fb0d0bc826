import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, lstatSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { childrenOf } from '../../src/host/process.ts';
import { build } from '../../src/index.ts';
import { damagedBlobs, storeProblems, tempNames, untilQuiet } from '../helpers/aftermath.ts';
import { type Cli, createCli, eventually } from '../helpers/cli.ts';
import { executorOf, processesWith } from '../helpers/processes.ts';
import { type FakeRegistry, startFakeRegistry } from '../helpers/registry.ts';
import { breakBody, stall } from '../helpers/registry-faults.ts';

let cli: Cli;
let registry: FakeRegistry;
beforeAll(async () => {
  cli = createCli();
  registry = await startFakeRegistry();
  await cli.base();
  await cli.ok(['tag', 'busybox', `${registry.host}/app`]);
  await cli.ok(['push', `${registry.host}/app`]);
});
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await cli[Symbol.asyncDispose]();
});

/** Something that is under way, and would go on for long. */
interface Scene {
  readonly args: readonly string[];
  /** Whether it is in the middle of it. */
  readonly reached: () => boolean;
  /** Another store than the usual one. */
  readonly home?: string;
  /** In the arguments of the container's processes. */
  readonly marker?: string;
  /** Must work afterwards. */
  readonly next: readonly string[];
}

let scenes = 0;
const started: ChildProcess[] = [];
// A test that fails must not leave its command to the next one.
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

function sleepMarker(): string {
  scenes += 1;
  return `${92_000 + process.pid}.${scenes}`;
}

const isSleeping = (marker: string) =>
  processesWith(marker).some(({ args }) => args[0] === 'sleep');

function running(): Scene {
  const marker = sleepMarker();
  const context = cli.context({ Dockerfile: `FROM busybox\nRUN sleep ${marker}\n` });
  const next = cli.context({ Dockerfile: `FROM busybox\nRUN echo ${marker}\n` });
  return {
    args: ['build', context],
    reached: () => isSleeping(marker),
    marker,
    next: ['build', next],
  };
}

function copying(): Scene {
  scenes += 1;
  const context = cli.context({
    Dockerfile: 'FROM scratch\nCOPY big small /\n',
    small: `${scenes}`,
  });
  writeFileSync(join(context, 'big'), 'big');
  // A hole: nothing is written here, but there is much to be read.
  truncateSync(join(context, 'big'), 600e6);
  const next = cli.context({ Dockerfile: 'FROM scratch\nCOPY small /\n', small: `${scenes}` });
  return { args: ['build', context], reached: grown(1e6), next: ['build', next] };
}

/** What a RUN wrote is being turned into a layer. */
function committing(): Scene {
  const marker = sleepMarker();
  const script = `truncate -s 600000000 /big && : ${marker}`;
  const context = cli.context({ Dockerfile: `FROM busybox\nRUN ${script}\n` });
  const next = cli.context({ Dockerfile: `FROM busybox\nRUN echo ${marker}\n` });
  return { args: ['build', context], reached: grown(1e6), next: ['build', next] };
}

async function pushing(): Promise<Scene> {
  scenes += 1;
  const target = `${registry.host}/pushed-${scenes}`;
  await cli.ok(['tag', 'busybox', target]);
  registry.clearLog();
  registry.faults.push(stall({ method: 'PUT', path: '/blobs/' }), stall({ method: 'PATCH' }));
  return {
    args: ['push', target],
    reached: () => registry.log().some((line) => /^(PUT|PATCH) .*\/blobs\//.test(line)),
    next: ['push', target],
  };
}

function pulling(): Scene {
  scenes += 1;
  registry.clearLog();
  registry.faults.push(breakBody(100_000, 'stall', { method: 'GET', path: '/blobs/' }));
  // A pull brings only what is not there.
  const home = join(cli.directory, `pulled-${scenes}`);
  return {
    args: ['pull', `${registry.host}/app`],
    home,
    reached: grown(60_000, home),
    next: ['pull', `${registry.host}/app`],
  };
}

function loading(): Scene {
  scenes += 1;
  const files = { Dockerfile: 'FROM scratch\nCOPY small /\n', small: `${scenes}` };
  return { args: ['load'], reached: grown(50_000), next: ['build', cli.context(files)] };
}

/** A container in the foreground. */
function containing(): Scene {
  const marker = sleepMarker();
  return {
    args: ['run', '--rm', 'busybox', 'sh', '-c', `sleep ${marker}; true`],
    reached: () => isSleeping(marker),
    marker,
    next: ['run', '--rm', 'busybox', 'true'],
  };
}

const SCENES: Readonly<Record<string, () => Scene | Promise<Scene>>> = {
  'a RUN': running,
  'a COPY': copying,
  'the commit of a RUN': committing,
  'a push': pushing,
  'a pull': pulling,
  'a load': loading,
};

/** Whether we, not a container, have written so much more there; killed ones may have left something. */
function grown(bytes: number, home = cli.home): () => boolean {
  const before = new Set(tempNames(home));
  return () => {
    const fresh = tempNames(home).filter((name) => !before.has(name));
    return fresh.some((name) => ownBytes(join(home, 'tmp', name)) >= bytes);
  };
}

function ownBytes(path: string): number {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return stat?.size ?? 0;
  if (path.endsWith('/snapshots')) return 0;
  return readdirSync(path).reduce((sum, name) => sum + ownBytes(join(path, name)), 0);
}

async function start(scene: Scene): Promise<{ child: ChildProcess; stderr: () => string }> {
  const child = cli.start(scene.args, {
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { ...cli.environment, TSBUILD_HOME: scene.home ?? cli.home },
  });
  started.push(child);
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  child.stdin!.on('error', () => {});
  if (scene.args[0] === 'load') child.stdin!.write(Buffer.alloc(100_000, 'not yet an archive'));
  await eventually(`${scene.args[0]} is under way`, () => {
    if (child.exitCode !== null) throw new Error(`it ended too early: ${stderr}`);
    return scene.reached();
  });
  return { child, stderr: () => stderr };
}

/** Nothing runs, nothing is mounted, the store is sound, the next command works, and even temporary files are gone then. */
async function expectNoTrace({ home = cli.home, marker, next }: Scene): Promise<void> {
  await untilQuiet(cli, marker);
  expect(await storeProblems(home)).toEqual([]);
  registry.faults.splice(0);
  await cli.ok(next, { env: { TSBUILD_HOME: home } });
  expect(tempNames(home)).toEqual([]);
  await untilQuiet(cli);
}

describe.each(Object.entries(SCENES))('in the middle of %s', (_, make) => {
  test.each<[NodeJS.Signals, number | null]>([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGKILL', null],
  ])('%s ends it and leaves no trace', async (signal, status) => {
    const scene = await make();
    const { child, stderr } = await start(scene);
    const closed = once(child, 'close');
    child.kill(signal);
    expect(await closed, stderr()).toEqual([status, status === null ? signal : null]);
    if (status !== null) {
      expect(stderr()).toContain(`interrupted by ${signal}`);
      expect(tempNames(scene.home ?? cli.home)).toEqual([]);
    }
    await expectNoTrace(scene);
  });
});

describe('the death of', () => {
  test('the command leaves no container that it ran', async () => {
    const scene = containing();
    const { child } = await start(scene);
    child.kill('SIGKILL');
    await once(child, 'close');
    await expectNoTrace(scene);
  });

  test.each([
    ['a RUN', running, 10],
    ['the commit of a RUN', committing, 10],
    ['a container', containing, 125],
  ])(
    'the executor in the middle of %s fails clearly and leaves no trace',
    async (_, make, status) => {
      const scene = make();
      const { child, stderr } = await start(scene);
      const closed = once(child, 'close');
      process.kill(executorOf(child.pid!)!, 'SIGKILL');
      expect(await closed, stderr()).toEqual([status, null]);
      expect(stderr()).toContain('[EXECUTOR]');
      await expectNoTrace(scene);
    },
  );

  test.each([
    ['a RUN', running, 10],
    ['a container', containing, 125],
  ])(
    'its runtime in the middle of %s fails clearly and takes the container with it',
    async (_, make, status) => {
      const scene = make();
      const { child, stderr } = await start(scene);
      const closed = once(child, 'close');
      const runtimes = processesWith(cli.directory).filter(({ args }) =>
        /\/(crun|runc)$/.test(args[0] ?? ''),
      );
      expect(runtimes.length).toBeGreaterThan(0);
      for (const { pid } of runtimes) process.kill(pid, 'SIGKILL');
      expect(await closed, stderr()).toEqual([status, null]);
      expect(stderr()).toContain('runtime was killed by SIGKILL');
      await expectNoTrace(scene);
    },
  );

  test('the container from outside is a RUN that failed', async () => {
    const scene = running();
    const { child, stderr } = await start(scene);
    const closed = once(child, 'close');
    for (const { pid, args } of processesWith(scene.marker!)) {
      if (args[0] === 'sleep') process.kill(pid, 'SIGKILL');
    }
    expect(await closed, stderr()).toEqual([5, null]);
    expect(stderr()).toContain('was ended by SIGKILL');
    await expectNoTrace(scene);
  });
});

describe('the API', () => {
  test.each<[string, () => Scene]>([
    ['a RUN', running],
    ['a COPY', copying],
    ['the commit of a RUN', committing],
  ])(
    'aborted in the middle of %s rejects with the reason, and leaves no trace',
    async (_, make) => {
      const scene = make();
      const children = new Set(childrenOf(process.pid));
      const controller = new AbortController();
      const reason = new Error('changed my mind');
      const building = build({
        context: scene.args[1]!,
        home: cli.home,
        env: cli.environment,
        signal: controller.signal,
      });
      const outcome = building.then(
        () => 'built',
        (error: unknown) => error,
      );
      await eventually('the build is under way', scene.reached);
      controller.abort(reason);
      expect(await outcome).toBe(reason);
      expect(childrenOf(process.pid).filter((pid) => !children.has(pid))).toEqual([]);
      expect(tempNames(cli.home)).toEqual([]);
      await expectNoTrace(scene);
    },
  );

  test('aborted before it begins does nothing', async () => {
    const reason = new Error('never mind');
    const home = join(cli.directory, 'untouched');
    const signal = AbortSignal.abort(reason);
    await expect(build({ context: cli.directory, home, signal })).rejects.toBe(reason);
    expect(existsSync(home)).toBe(false);
  });
});

/** More of them find more: `TSBUILD_TEST_KILLS=40 npx vitest run test/e2e/kill.test.ts -t random`. */
const KILLS = Number(process.env.TSBUILD_TEST_KILLS ?? 5);

describe('SIGKILL at random moments', () => {
  const context = () =>
    cli.context({
      Dockerfile: `FROM busybox AS made
COPY random /random
RUN head -c 8000000 /dev/urandom > /noise && sha256sum /random > /sum
FROM busybox AS other
RUN mkdir /many && cd /many && seq 300 | xargs touch
FROM busybox
COPY --from=made /random /sum /
COPY --from=other /many /many
RUN sha256sum -c /sum && ls /many | wc -l > /count
CMD ["cat", "/count"]
`,
      random: randomBytes(4_000_000).toString('base64'),
    });
  const checkStore = async () => {
    await untilQuiet(cli);
    expect(damagedBlobs(cli.home)).toEqual([]);
    expect(await storeProblems(cli.home)).toEqual([]);
  };

  test(`of ${KILLS} builds: what is stored is right, and the last build ends well`, async () => {
    const whole = performance.now();
    await cli.ok(['build', context()]);
    const longest = (performance.now() - whole) * 1.1;
    for (let at = 0; at < KILLS; at += 1) {
      const delay = Math.random() * longest;
      const child = cli.start(['build', '-t', `random:${at}`, context()], { stdio: 'ignore' });
      started.push(child);
      const closed = once(child, 'close');
      // Half of the time it is the executor that dies, if there is one by then.
      const timer = setTimeout(() => killSome(child, at % 2 === 1), delay);
      const [status, signal] = await closed;
      clearTimeout(timer);
      if (signal !== 'SIGKILL') expect([0, 10], `after ${delay} ms`).toContain(status);
      await checkStore();
    }
    await cli.ok(['build', '-t', 'random:last', context()]);
    expect(await cli.ok(['run', '--rm', 'random:last'])).toBe('300\n');
    expect(tempNames(cli.home)).toEqual([]);
    await cli.ok(['prune', '--all']);
    await checkStore();
  }, 600_000);

  function killSome(child: ChildProcess, executor: boolean): void {
    const found = executor ? executorOf(child.pid!) : undefined;
    if (found === undefined) child.kill('SIGKILL');
    else process.kill(found, 'SIGKILL');
  }
});
