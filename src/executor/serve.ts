/** The executor's side of the channel: requests come in, are run side by side, and are answered. */
import { join } from 'node:path';
import { isTsbuildError, TsbuildError } from '../errors.ts';
import { diskError } from '../host/disk-error.ts';
import { toPlainError } from '../host/error-transport.ts';
import { type Cleaner, createCleaner, removeFiles } from './cleaner.ts';
import type { FromExecutor, Session, ToExecutor } from './messages.ts';
import type { ExecRequest } from './protocol.ts';
import { type RunCall, runRequest } from './run-request.ts';
import { type OpenWorkshop, openWorkshop, type Surroundings } from './workshop.ts';

export interface Channel extends Surroundings {
  /** Fulfilled when the other side can take more. */
  readonly send: (message: FromExecutor) => Promise<void>;
  /** Called when everything asked for has ended and has been cleared up after. */
  readonly onStopped: () => void;
}

export interface Server {
  receive(message: ToExecutor): void;
  /** Drops all mounts, whatever still uses them. */
  close(): void;
}

/** Two steps may well end at once; and each that has written much is helped by two threads more. */
export const THREADS = 2;

interface ActiveRun {
  readonly id: string;
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

/** Milliseconds until a container that has just been started is looked for again. */
const KILL_INTERVAL = 5;

export function serve(channel: Channel): Server {
  const runs = new Map<number, ActiveRun>();
  let opening: Promise<Opened> | undefined;
  let opened: Opened | undefined;
  let searchPath = '';

  const answer = async (run: number, request: ExecRequest, signal: AbortSignal): Promise<void> => {
    const onOutput: RunCall['onOutput'] = (stream, bytes) =>
      channel.send({ type: 'output', run, stream, bytes });
    try {
      const { workshop, cleaner } = await opening!;
      const onResult: RunCall['onResult'] = (result) => channel.send({ type: 'done', run, result });
      await runRequest(workshop, request, { key: keyOf(run), signal, onOutput, onResult });
      cleaner.clean();
    } catch (error) {
      await channel.send({ type: 'failed', run, error: toPlainError(asOurs(error)) });
    } finally {
      runs.delete(run);
    }
  };
  /** A request whose container does not exist yet gets its signal when it does. */
  const kill = (run: number, signal: NodeJS.Signals): void => {
    const attempt = ({ workshop }: Pick<Opened, 'workshop'>): void => {
      if (!runs.has(run)) return;
      const runtimes = [false, true].map((terminal) => workshop.runtimeFor({ terminal }));
      if (runtimes.some((runtime) => runtime.kill(keyOf(run), signal))) return;
      setTimeout(attempt, KILL_INTERVAL, { workshop });
    };
    opening?.then(attempt, () => {});
  };
  const remove = async (run: number, paths: readonly string[]): Promise<void> => {
    try {
      await removeFiles(paths, searchPath);
      await channel.send({ type: 'removed', run });
    } catch (error) {
      await channel.send({ type: 'failed', run, error: toPlainError(asOurs(error)) });
    }
  };
  const stop = async (): Promise<void> => {
    for (const { abort } of runs.values()) abort.abort();
    await Promise.all([...runs.values()].map(({ ended }) => ended));
    await opening?.then(
      ({ cleaner }) => cleaner.finish(),
      () => {},
    );
    close();
    channel.onStopped();
  };
  const close = (): void => {
    opened?.workshop[Symbol.dispose]();
    opened = undefined;
  };

  const receive = (message: ToExecutor): void => {
    switch (message.type) {
      case 'init':
        searchPath = message.session.searchPath;
        opening = open(message.session, channel);
        opening.then(
          (parts) => {
            opened = parts;
          },
          // Every request that needs it fails with it.
          () => {},
        );
        break;
      case 'run': {
        const abort = new AbortController();
        const ended = answer(message.run, message.request, abort.signal);
        runs.set(message.run, { id: message.request.id, abort, ended });
        break;
      }
      case 'abort':
        runs.get(message.run)?.abort.abort();
        break;
      case 'kill':
        for (const [run, { id }] of runs) if (id === message.id) kill(run, message.signal);
        break;
      case 'remove':
        void remove(message.run, message.paths);
        break;
      case 'stop':
        void stop();
        break;
    }
  };
  void channel.send({ type: 'ready' });
  return { receive, close };
}

interface Opened {
  readonly workshop: OpenWorkshop;
  readonly cleaner: Cleaner;
}

/** Not used by an earlier executor: ext4 has a place for each name, see host/spread-directories.ts. */
function keyOf(run: number): string {
  return `run-${run}-${STARTED}`;
}

const STARTED = process.hrtime.bigint().toString(36);

async function open(session: Session, channel: Channel): Promise<Opened> {
  const onWarning = (message: string) => void channel.send({ type: 'warning', message });
  const workshop = openWorkshop(session, channel, onWarning);
  const cleaner = createCleaner(
    [join(session.directory, 'trash'), ...session.stale],
    session.searchPath,
  );
  if (session.stale.length > 0) cleaner.clean();
  return { workshop, cleaner };
}

/** A full disk has its own code; any other error that nobody foresaw is told with its stack. */
function asOurs(error: unknown): unknown {
  const known = diskError(error, 'run a step', 'EXECUTOR');
  if (isTsbuildError(known) || !(error instanceof Error) || error.name === 'AbortError')
    return known;
  return new TsbuildError('EXECUTOR', `run a step: ${error.stack ?? error.message}`, {
    cause: error,
  });
}
