/**
 * The build process's side of the executor: starts it when it is first needed, and again if it died. See protocol.ts
 * for what is promised, launch.ts for how it starts, connection.ts for how requests get there.
 */
import { readFileSync, rmSync } from 'node:fs';
import { TsbuildError } from '../errors.ts';
import { parseCapabilityMask } from '../runtime/capabilities.ts';
import { openStore } from '../store/store.ts';
import { staleTemp } from '../store/temp.ts';
import { meetChild } from './child-process.ts';
import { type Connection, connect } from './connection.ts';
import { launch } from './launch.ts';
import type { Session } from './messages.ts';
import type { Executor, ExecutorOptions } from './protocol.ts';

export function createExecutor(options: ExecutorOptions): Executor {
  let current: Promise<Connection> | undefined;
  const stopping: Promise<void>[] = [];
  const connection = (): Promise<Connection> => {
    if (current !== undefined) return current;
    const opened = open(options, () => {
      if (current === opened) current = undefined;
    });
    current = opened;
    return opened;
  };
  return {
    async run(request, call = {}) {
      call.signal?.throwIfAborted();
      return (await connection()).run(request, call);
    },
    kill: (id, signal) => {
      current?.then((live) => live.send({ type: 'kill', id, signal })).catch(() => {});
    },
    warm: () => {
      connection().catch(() => {});
    },
    remove: async (paths) => (await connection()).remove(paths),
    rest: () => {
      const stopped = current?.then(
        (live) => live.stop(),
        () => {},
      );
      current = undefined;
      if (stopped !== undefined) stopping.push(stopped);
    },
    async [Symbol.asyncDispose]() {
      this.rest();
      await Promise.all(stopping);
    },
  };
}

async function open(options: ExecutorOptions, onEnd: () => void): Promise<Connection> {
  const store = openStore(options.home);
  const directory = store.tempDir();
  const end = (): void => {
    onEnd();
    removeOwn(directory);
  };
  try {
    const searchPath = searchPathOf(options.env?.PATH);
    const rootless = !mayMount();
    const place = { entry: options.entry, searchPath };
    const meet =
      options.dedicated && !rootless
        ? (await import('./same-process.ts')).meetHere(place)
        : meetChild(await launch({ ...place, rootless }));
    const live = connect(meet, { rootless, onWarning: options.onWarning, onEnd: end });
    const stale = staleTemp(store.path('tmp'));
    const session = { home: store.home, directory, stale, searchPath };
    const form = parseMountForm(options.env?.TSBUILD_MOUNT_FORM);
    const runtime = options.env?.TSBUILD_RUNTIME;
    const wanted = runtime === undefined ? {} : { runtime };
    live.send({ type: 'init', session: { ...session, ...form, ...wanted } });
    return live;
  } catch (error) {
    end();
    throw error;
  }
}

/** As root anything goes; otherwise files of other ids remain, which the next executor finds among the stale ones. */
function removeOwn(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch {}
}

/** An ordinary user's PATH need not have the directories where runc and the tools of the administrator are. */
function searchPathOf(path = ''): string {
  const usual = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  return [...new Set([...path.split(':').filter((entry) => entry !== ''), ...usual])].join(':');
}

function parseMountForm(name = ''): Pick<Session, 'snapshots' | 'forms'> {
  if (name === '') return {};
  if (name === 'copy') return { snapshots: name };
  const form = (['erofs', 'erofs-loop', 'directory'] as const).find((known) => known === name);
  if (form !== undefined) return { forms: [form] };
  throw new TsbuildError('USAGE', `TSBUILD_MOUNT_FORM is no form of a layer: ${name}`);
}

function mayMount(): boolean {
  const status = readFileSync('/proc/self/status', 'utf8');
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0';
  return parseCapabilityMask(mask).has('CAP_SYS_ADMIN');
}
