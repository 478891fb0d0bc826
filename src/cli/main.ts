/** The command, loaded by start.ts: what ends it comes by here, be it a status, an error, a signal or a closed pipe. */
import { errnoOf, exitStatus, isTsbuildError, TsbuildError } from '../errors.ts';
import type { CommandContext, FailureHandling } from './command.ts';
import { dispatch } from './dispatch.ts';
import { listenForSignals, signalStatus } from './signals.ts';

// `tsbuild images | head -1` closes the pipe early: that is no failure of ours.
process.stdout.on('error', (error) => {
  if (errnoOf(error) === 'EPIPE') process.exit(0);
  throw error;
});
process.stderr.on('error', () => {});

const signals = listenForSignals();
let handling: FailureHandling = {};
const context: CommandContext = {
  env: process.env,
  // A getter: touching process.stdin opens it, which a build without a use for it should not do.
  get stdin() {
    return process.stdin;
  },
  stdout: process.stdout,
  stderr: process.stderr,
  signal: signals.signal,
  takeSignals: (handler) => signals.take(handler),
  onFailure: (more) => {
    handling = { ...handling, ...more };
  },
};

// Whoever waits for what never comes has found a bug of ours, which must not look like a success.
process.once('beforeExit', async () => {
  const status = await report(new TsbuildError('INTERNAL', 'the command ended without a result'));
  process.exit(status);
});

const argv = process.argv.slice(2);
dispatch(argv, context)
  .catch(report)
  .then(async (status) => {
    await flush();
    // Not left to the end of the event loop: keep-alive sockets and idle workers would hold it for seconds.
    process.exit(status);
  });

async function report(error: unknown): Promise<number> {
  const received = signals.received();
  const interrupted = received !== undefined && isAbort(error);
  if (handling.format !== undefined) {
    process.stderr.write(handling.format(error));
  } else if (interrupted) {
    process.stderr.write(`tsbuild: interrupted by ${received}\n`);
  } else {
    const { showError } = await import('./show-error.ts');
    const debug = argv.includes('--debug') || isSet(process.env.TSBUILD_DEBUG);
    const color = process.stderr.isTTY && !isSet(process.env.NO_COLOR);
    process.stderr.write(showError(error, { debug, color }));
  }
  if (interrupted) return signalStatus(received);
  return (handling.status ?? exitStatus)(error);
}

function isAbort(error: unknown): boolean {
  if (isTsbuildError(error)) return error.code === 'ABORTED';
  return error instanceof Error && error.name === 'AbortError';
}

async function flush(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    if (stream.writableLength === 0) continue;
    await new Promise<void>((resolve) => stream.write('', () => resolve()));
  }
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== '' && value !== '0';
}
