/**
 * What SIGINT, SIGTERM and SIGHUP do. The first asks the running operation to stop: it kills its containers, unmounts and
 * rejects. Who is impatient sends a second one and the process exits at once; the kernel cleans up behind the executor.
 */
import { constants } from 'node:os';
import { TsbuildError } from '../errors.ts';

const HANDLED = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface Signals {
  readonly signal: AbortSignal;
  /** The first signal received. */
  received(): NodeJS.Signals | undefined;
  /** Hands signals, these and a few that programs use among themselves, to `handler` from now on. */
  take(handler: (signal: NodeJS.Signals) => void): void;
}

const FORWARDED = ['SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const;

export function listenForSignals(): Signals {
  const controller = new AbortController();
  let first: NodeJS.Signals | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (first !== undefined) process.exit(signalStatus(signal));
    first = signal;
    controller.abort(new TsbuildError('ABORTED', `interrupted by ${signal}`));
  };
  for (const signal of HANDLED) process.on(signal, onSignal);
  return {
    signal: controller.signal,
    received: () => first,
    take(handler) {
      for (const signal of HANDLED) process.off(signal, onSignal);
      for (const signal of [...HANDLED, ...FORWARDED]) process.on(signal, handler);
    },
  };
}

/** The status by which shells report a death from `signal`. */
export function signalStatus(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}
