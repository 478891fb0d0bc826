/**
 * Executors of real build processes, as root and as an ordinary user, each on a store of its own with busybox in it.
 */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecRequest, ExecResult } from '../../src/executor/protocol.ts';
import type { Layer, LayerInput } from '../../src/layer/layer.ts';
import { stackTree } from '../../src/layer/stack.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import type { FileTree } from '../../src/tree/file-tree.ts';
import { busyboxLayer, makeLayer } from './busybox.ts';
import { bundleEntries, type Entries } from './entries.ts';
import type { ToDriver } from './executor-driver.ts';

/** Root's executor is a process of its own, or that of a process which is `dedicated` to it. */
export const USERS = ['root', 'dedicated root', 'tsbuild-test'] as const;
export type UserName = (typeof USERS)[number];

export interface RunOutcome extends ExecResult {
  readonly stdout: string;
  readonly stderr: string;
  /** What the layer holds, if there is one. */
  readonly tree: FileTree;
}

export interface TestRun {
  readonly outcome: Promise<RunOutcome>;
  /** Fulfilled when `text` has appeared on stdout. */
  printed(text: string): Promise<void>;
  abort(): void;
}

/** A build process, which can be told to run something, and killed. */
export interface TestBuilder {
  readonly child: ChildProcess;
  readonly warnings: readonly string[];
  start(request: Partial<ExecRequest> | string): TestRun;
  run(request: Partial<ExecRequest> | string): Promise<RunOutcome>;
  kill(id: string, signal: NodeJS.Signals): void;
  /** Disposes of the executor and waits for the process. */
  stop(): Promise<void>;
}

export interface TestHome {
  readonly home: string;
  readonly store: Store;
  readonly base: Layer;
  readonly entries: Entries;
  /** A layer in the store, the user's own. */
  layer(inputs: readonly LayerInput[]): Layer;
  builder(options?: { readonly searchPath?: string; readonly runtime?: string }): TestBuilder;
  remove(): Promise<void>;
}

/** `parent`: where the home is made. */
export async function testHome(user: UserName, parent = tmpdir()): Promise<TestHome> {
  const entries = await bundleEntries({
    executor: 'src/executor/main.ts',
    driver: 'test/helpers/executor-driver.ts',
  });
  const ids = idsOf(user);
  const home = mkdtempSync(join(parent, 'tsbuild-executor-'));
  const store = openStore(home);
  const base = busyboxLayer(store);
  const give = (...paths: string[]): void => {
    execFileSync('chown', ['-R', `${ids.uid}:${ids.gid}`, ...paths]);
  };
  give(home);
  const builders: TestBuilder[] = [];
  return {
    ...{ home, store, base, entries },
    layer: (inputs) => {
      const layer = makeLayer(store, inputs);
      give(layer.tar, layer.index);
      return layer;
    },
    builder: ({ searchPath = process.env.PATH!, runtime = '' } = {}) => {
      const dedicated = user === 'dedicated root';
      const builder = startBuilder({ entries, home, base, searchPath, runtime, dedicated, ...ids });
      builders.push(builder);
      return builder;
    },
    remove: async () => {
      for (const builder of builders) await builder.stop();
      rmSync(home, { recursive: true, force: true });
      await entries[Symbol.asyncDispose]();
    },
  };
}

interface BuilderOptions {
  readonly entries: Entries;
  readonly home: string;
  readonly base: Layer;
  readonly searchPath: string;
  /** Empty: whichever it takes. */
  readonly runtime: string;
  readonly dedicated: boolean;
  readonly uid: number;
  readonly gid: number;
}

function startBuilder(options: BuilderOptions): TestBuilder {
  const { entries, home, base, searchPath, runtime, dedicated, uid, gid } = options;
  const args = [home, entries.file('executor'), searchPath, runtime, String(dedicated)];
  const child = fork(entries.file('driver'), args, {
    ...{ uid, gid, serialization: 'advanced' },
    execArgv: [],
    env: { PATH: '/nowhere' },
    cwd: '/',
  });
  child.setMaxListeners(0);
  const closed = once(child, 'close');
  const warnings: string[] = [];
  child.on('message', (message: { type: string; message?: string }) => {
    if (message.type === 'warning') warnings.push(message.message!);
  });
  const send = (message: ToDriver): void => {
    if (child.connected) child.send(message, () => {});
  };
  let runs = 0;
  const start: TestBuilder['start'] = (request) => {
    runs += 1;
    const script = typeof request === 'string' ? shell(request) : request;
    return startRun(
      child,
      runs,
      { ...DEFAULTS, layers: [base], id: `run-${runs}`, ...script },
      send,
    );
  };
  return {
    ...{ child, warnings, start },
    run: (request) => start(request).outcome,
    kill: (id, signal) => send({ type: 'kill', id, signal }),
    stop: async () => {
      send({ type: 'stop' });
      await closed;
    },
  };
}

const DEFAULTS: Omit<ExecRequest, 'id' | 'layers'> = {
  args: ['true'],
  env: ['PATH=/bin'],
  cwd: '/',
  user: { uid: 0, gid: 0, additionalGids: [] },
  network: 'none',
  addHosts: [],
  readonlyRootfs: false,
  mounts: [],
  security: 'sandbox',
  stdio: 'none',
  commit: {},
};

/** The host's programs, for what busybox has not. */
export const HOST_PROGRAMS: ExecRequest['mounts'] = ['/usr', '/lib', '/lib64'].map((path) => ({
  ...{ type: 'bind', readonly: true, target: path },
  source: realpathSync(path),
}));

export function shell(script: string): Partial<ExecRequest> {
  return { args: ['/bin/sh', '-ec', script] };
}

function startRun(
  child: ChildProcess,
  run: number,
  request: ExecRequest,
  send: (message: ToDriver) => void,
): TestRun {
  const output = { stdout: '', stderr: '' };
  const watchers = new Set<() => void>();
  const outcome = new Promise<RunOutcome>((resolve, reject) => {
    const gone = (): void => reject(new Error(`the build process ended: ${output.stderr}`));
    if (child.connected) child.once('close', gone);
    else gone();
    child.on('message', (message: Reply) => {
      if (message.run !== run) return;
      if (message.type === 'output') {
        output[message.stream] += Buffer.from(message.bytes).toString();
        for (const watcher of watchers) watcher();
        return;
      }
      child.off('close', gone);
      if (message.type === 'failed') reject(Object.assign(new Error(), message.error, output));
      else {
        const { layer } = message.result;
        resolve({ layer, ...message.result, ...output, tree: stackTree(layer ? [layer] : []) });
      }
    });
  });
  // A test that waits for something else is told by its own failure.
  outcome.catch(() => {});
  send({ type: 'run', run, request });
  return {
    outcome,
    abort: () => send({ type: 'abort', run }),
    printed: (text) =>
      new Promise((resolve, reject) => {
        const watcher = (): void => {
          if (output.stdout.includes(text)) resolve();
        };
        watchers.add(watcher);
        watcher();
        outcome.then(() => reject(new Error(`ended without ${text}: ${output.stdout}`)), reject);
      }),
  };
}

type Reply =
  | { type: 'output'; run: number; stream: 'stdout' | 'stderr'; bytes: Uint8Array }
  | { type: 'done'; run: number; result: ExecResult }
  | { type: 'failed'; run: number; error: object };

export function idsOf(user: UserName): { uid: number; gid: number } {
  if (user !== 'tsbuild-test') return { uid: 0, gid: 0 };
  const [uid, gid] = ['-u', '-g'].map((flag) =>
    Number(execFileSync('id', [flag, user], { encoding: 'utf8' })),
  );
  return { uid: uid!, gid: gid! };
}
