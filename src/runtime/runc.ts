/** The runtime that is runc: https://github.com/opencontainers/runc/blob/v1.1.5/man/runc-run.8.md */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import { descendants, kill } from '../host/process.ts';
import type { Cgroup } from './cgroup.ts';
import type { ContainerExit, RunOptions, Runtime } from './runtime.ts';
import { startFailure } from './start-failure.ts';

export interface RuncOptions {
  /** The program, see `findExecutable`. */
  readonly file: string;
  /** Where runc keeps its state: a tmpfs that goes with us. */
  readonly state: string;
  readonly env: Readonly<Record<string, string>>;
}

/** How often a container that was told to die is looked at. */
const KILL_INTERVAL = 20;
/** After so many looks, runc itself is killed as well. */
const KILL_PATIENCE = 100;

export function createRunc(options: RuncOptions): Runtime {
  return {
    run: async (id, bundle, run) => {
      run.signal?.throwIfAborted();
      const child = start(options, id, bundle, run);
      const onAbort = (): void => killUntilGone(child);
      run.signal?.addEventListener('abort', onAbort, { once: true });
      try {
        const exit = await ended(child, () => killContainer(options.state, id));
        run.signal?.throwIfAborted();
        return exitOf(exit, readLog(bundle));
      } finally {
        run.signal?.removeEventListener('abort', onAbort);
        rmSync(join(options.state, id), { recursive: true, force: true });
      }
    },
    kill: (id, signal) => {
      const pid = initPid(options.state, id);
      if (pid !== undefined) kill(pid, signal);
    },
  };
}

function start(options: RuncOptions, id: string, bundle: string, run: RunOptions): ChildProcess {
  const { stdin, stdout, stderr } = run.io;
  const command = [
    options.file,
    // Errors about cgroups are not errors: there are none to be written to.
    ...['--rootless=true', '--root', options.state],
    ...['--log', logFile(bundle), '--log-format', 'json'],
    ...['run', '--bundle', bundle, id],
  ];
  const [file, ...args] =
    run.cgroup === undefined ? command : ['/bin/sh', '-c', GATE, 'sh', ...command];
  const input = typeof stdin === 'number' ? stdin : stdin === 'none' ? 'ignore' : 'pipe';
  const child = spawn(file!, args, {
    env: options.env,
    stdio: [input, stdout, stderr, run.cgroup === undefined ? 'ignore' : 'pipe'],
    // A terminal's Ctrl-C goes to its whole process group, and runc would pass it on once more. Only a container with
    // a terminal of its own, for which runc reads ours, must stay in the group that may read.
    detached: run.terminal !== true,
  });
  if (child.stdin !== null && typeof stdin === 'object') {
    // The container may end, or close its stdin, before it has read everything.
    stdin.pipe(child.stdin.on('error', () => stdin.unpipe()));
    child.once('close', () => stdin.destroy());
  }
  pump(child.stdout, 'stdout', run);
  pump(child.stderr, 'stderr', run);
  if (run.cgroup !== undefined) letIn(child, run.cgroup);
  return child;
}

/** Waits until the process has been moved into its cgroup, and becomes runc. */
const GATE = 'read -r go <&3 && exec "$@" 3<&-';

/** A process that cannot be moved reads the end of its gate, and ends. */
function letIn(child: ChildProcess, cgroup: Cgroup): void {
  const gate = child.stdio.at(3) as Writable;
  gate.on('error', () => {});
  try {
    if (child.pid !== undefined) cgroup.join(child.pid);
    gate.end('\n');
  } catch (error) {
    gate.end();
    throw error;
  }
}

/** Hands bytes over, one piece at a time: a container that writes faster than they are taken has to wait. */
function pump(stream: Readable | null, name: 'stdout' | 'stderr', run: RunOptions): void {
  stream?.on('data', async (bytes: Buffer) => {
    stream.pause();
    await run.onOutput?.(name, bytes);
    stream.resume();
  });
}

type Exit = readonly [status: number | null, signal: NodeJS.Signals | null];

/**
 * Waits for the end of runc and of its streams. `onDeath` is called if runc was killed, while the container may live.
 */
async function ended(child: ChildProcess, onDeath: () => void): Promise<Exit> {
  child.once('exit', (_, signal) => {
    if (signal !== null) onDeath();
  });
  try {
    return await new Promise<Exit>((resolve, reject) => {
      child.once('error', reject).once('close', (...exit) => resolve(exit));
    });
  } catch (cause) {
    throw new TsbuildError('EXECUTOR', `start ${child.spawnfile}`, { cause });
  }
}

/**
 * Kills what runc has started, until runc has seen it and ended. Not runc itself, at first: alone it knows what else
 * there is to clear up.
 */
function killUntilGone(child: ChildProcess): void {
  let looks = 0;
  const look = (): void => {
    if (child.pid === undefined) return;
    for (const pid of descendants(child.pid)) kill(pid, 'SIGKILL');
    looks += 1;
    if (looks > KILL_PATIENCE) kill(child.pid, 'SIGKILL');
  };
  const timer = setInterval(look, KILL_INTERVAL);
  child.once('exit', () => clearInterval(timer));
  look();
}

/** With the first process of its pid namespace, the kernel kills all others. */
function killContainer(state: string, id: string): void {
  const pid = initPid(state, id);
  if (pid !== undefined) kill(pid, 'SIGKILL');
}

/** runc writes its state before the container's program starts. */
function initPid(state: string, id: string): number | undefined {
  try {
    const pid = JSON.parse(readFileSync(join(state, id, 'state.json'), 'utf8')).init_process_pid;
    return typeof pid === 'number' && pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function exitOf([status, signal]: Exit, log: readonly string[]): ContainerExit {
  const problem = log.at(-1);
  if (status !== 0 && problem !== undefined) return startFailure(problem);
  if (signal !== null) throw new TsbuildError('EXECUTOR', `runc was killed by ${signal}`);
  const exitCode = status ?? 0;
  // runc reports a signal as the shell does: 128 + its number.
  const ending = signalName(exitCode - 128);
  return { exitCode, ...(ending === undefined ? {} : { signal: ending }) };
}

function signalName(number: number): NodeJS.Signals | undefined {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found?.[0] as NodeJS.Signals | undefined;
}

function logFile(bundle: string): string {
  return join(bundle, 'runc.log');
}

/** The errors in runc's log; it has none when the container ran, however it ended. */
function readLog(bundle: string): string[] {
  let text: string;
  try {
    text = readFileSync(logFile(bundle), 'utf8');
  } catch {
    return [];
  }
  return text
    .split('\n')
    .filter((line) => line.includes('"level":"error"'))
    .map((line) => String(JSON.parse(line).msg));
}
