/**
 * A live executor: requests go to it, answers come back to who waits for them, and if it dies they all hear of it.
 */
import { TsbuildError } from '../errors.ts';
import { fromPlainError } from '../host/error-transport.ts';
import { launchFailure } from './launch-failure.ts';
import type { FromExecutor, ToExecutor } from './messages.ts';
import type { Meet, Peer } from './peer.ts';
import type { ExecOptions, ExecRequest, ExecResult } from './protocol.ts';

export interface Connection {
  /** See `Executor.run`. */
  run(request: ExecRequest, options: ExecOptions): Promise<ExecResult>;
  /** See `Executor.remove`. */
  remove(paths: readonly string[]): Promise<void>;
  send(message: ToExecutor): void;
  /** Lets the executor clear up and end. */
  stop(): Promise<void>;
}

export interface ConnectOptions {
  readonly rootless: boolean;
  readonly onWarning: ((message: string) => void) | undefined;
  /** Called once, when nothing of the executor is left. */
  readonly onEnd: () => void;
}

/** Milliseconds that an aborted request may take to end, and a stopped executor to clear up, before it is killed. */
const PATIENCE = 10_000;

interface Waiting {
  readonly onOutput: ExecOptions['onOutput'];
  /** With a result if it was a request to run something. */
  readonly resolve: (result?: ExecResult) => void;
  readonly reject: (error: unknown) => void;
}

/** A message that is answered, without the number by which it will be. */
type Question =
  | { readonly type: 'run'; readonly request: ExecRequest }
  | { readonly type: 'remove'; readonly paths: readonly string[] };

export function connect(meet: Meet, options: ConnectOptions): Connection {
  const waiting = new Map<number, Waiting>();
  let runs = 0;
  let ready = false;

  const receive = (message: FromExecutor): void => {
    if (message.type === 'ready') ready = true;
    else if (message.type === 'warning') options.onWarning?.(message.message);
    else settle(waiting, message);
  };
  let peer: Peer;
  const ended = new Promise<void>((resolve) => {
    const onEnd = (why: string): void => {
      const said = peer.lastWords();
      const error = ready ? died(why, said) : launchFailure(said || why, options.rootless);
      for (const { reject } of waiting.values()) reject(error);
      waiting.clear();
      options.onEnd();
      resolve();
    };
    peer = meet({ onMessage: receive, onEnd });
  });
  const send = (message: ToExecutor): void => peer.send(message);
  const ask = (message: Question, onOutput?: ExecOptions['onOutput']) => {
    runs += 1;
    const run = runs;
    const answer = new Promise<ExecResult | undefined>((resolve, reject) => {
      waiting.set(run, { onOutput, resolve, reject });
    });
    if (peer.isThere()) send({ ...message, run });
    else waiting.get(run)!.reject(died('its channel is closed', peer.lastWords()));
    return { run, answer };
  };
  return {
    send,
    run: (request, { signal, onOutput }) => {
      const { run, answer } = ask({ type: 'run', request }, onOutput);
      return abortable(answer as Promise<ExecResult>, signal, () => {
        send({ type: 'abort', run });
        return killLater(peer);
      });
    },
    remove: async (paths) => {
      await ask({ type: 'remove', paths }).answer;
    },
    stop: async () => {
      send({ type: 'stop' });
      const timer = killLater(peer);
      await ended;
      clearTimeout(timer);
    },
  };
}

function settle(
  waiting: Map<number, Waiting>,
  message: Extract<FromExecutor, { run: number }>,
): void {
  const call = waiting.get(message.run);
  if (message.type === 'output') {
    call?.onOutput?.(message.stream, message.bytes);
    return;
  }
  waiting.delete(message.run);
  if (message.type === 'done') call?.resolve(message.result);
  else if (message.type === 'removed') call?.resolve();
  else call?.reject(fromPlainError(message.error));
}

/**
 * Waits for the answer also when aborted: it says that the container is dead. Then rejects with the signal's reason.
 */
async function abortable(
  result: Promise<ExecResult>,
  signal: AbortSignal | undefined,
  abort: () => NodeJS.Timeout,
): Promise<ExecResult> {
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    timer = abort();
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  try {
    return await result;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    clearTimeout(timer);
    signal?.throwIfAborted();
  }
}

function killLater(peer: Peer): NodeJS.Timeout {
  return setTimeout(() => peer.kill(), PATIENCE);
}

function died(why: string, tail: string): TsbuildError {
  const said = tail === '' ? '' : `: ${tail}`;
  return new TsbuildError('EXECUTOR', `the executor ended unexpectedly (${why})${said}`, {
    retryable: true,
  });
}
