/**
 * The process of an OCI runtime, which waits at a pipe for the config.json of its container. So it can be started ahead:
 * by the time that the container's files are there, it has its namespaces and has been loaded, which takes as long as the
 * rest of making a container.
 *
 *     const waiting = startWaiting(invocation, stdio);
 *     …mount what the container will see…
 *     waiting.begin(config);
 *     const [status, signal] = await waiting.ended;
 *
 * Who gets no config when the pipe is closed ends by itself: dismissed, or with this process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { errnoOf, TsbuildError } from '../errors.ts';
import type { PidNamespace } from '../host/pid-namespace.ts';
import { pipe } from '../host/syscalls.ts';
import type { ContainerIO } from './runtime.ts';

/** Where the process finds its end of the pipe. */
export const CONFIG_FD = 3;

export interface Invocation {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Where it is born, if not in the namespace of this process. */
  readonly namespace: PidNamespace | undefined;
}

/** What a process cannot be told later. */
export interface Stdio extends ContainerIO {
  /** Whether it stays in our process group. */
  readonly terminal: boolean;
}

export type Exit = readonly [status: number | null, signal: NodeJS.Signals | null];

export interface WaitingProcess {
  readonly child: ChildProcess;
  /** What the container writes to those streams that are piped. */
  readonly outputs: ReadonlyMap<'stdout' | 'stderr', Socket>;
  /** Rejects with `EXECUTOR` if the process did not start. */
  readonly ended: Promise<Exit>;
  isThere(): boolean;
  /** To be called once. */
  begin(config: string): void;
  /** Lets it end without a container; nobody waits for that. */
  dismiss(): void;
}

export function startWaiting(
  { command, env, namespace }: Invocation,
  stdio: Stdio,
): WaitingProcess {
  const [file, ...args] = command;
  const { stdin } = stdio;
  const input = typeof stdin === 'number' ? stdin : stdin === 'none' ? 'ignore' : 'pipe';
  const config = pipe();
  const outputs = new Map<'stdout' | 'stderr', Socket>();
  const given = [config.reading];
  const writing = (['stdout', 'stderr'] as const).map((name) => {
    const descriptor = stdio[name];
    if (descriptor !== 'pipe') return descriptor;
    // Not what Node would make of 'pipe': that is a socket, for which /dev/stdout cannot be opened.
    const ends = pipe();
    outputs.set(name, new Socket({ fd: ends.reading, readable: true, writable: false }).unref());
    given.push(ends.writing);
    return ends.writing;
  });
  const start = (): ChildProcess =>
    spawn(file!, args, {
      env,
      stdio: [input, ...writing, config.reading],
      // A terminal's Ctrl-C goes to its whole process group, and the runtime would pass it on once more. Only a container
      // with a terminal of its own, for which the runtime reads ours, must stay in the group that may read.
      detached: !stdio.terminal,
    });
  let child: ChildProcess;
  try {
    child = namespace === undefined ? start() : namespace.enter(start);
  } finally {
    for (const fd of given) closeSync(fd);
  }
  child.unref();
  const ended = new Promise<Exit>((resolve, reject) => {
    const fail = (cause: Error): void =>
      reject(new TsbuildError('EXECUTOR', `start ${child.spawnfile}`, { cause }));
    child.once('error', fail).once('close', (...exit) => resolve(exit));
  });
  // Told to who begins.
  ended.catch(() => {});
  return {
    child,
    outputs,
    ended,
    isThere: () => child.pid !== undefined && child.exitCode === null && child.signalCode === null,
    begin: (text) => {
      child.ref();
      for (const stream of outputs.values()) stream.ref();
      give(config.writing, text);
    },
    dismiss: () => {
      closeSync(config.writing);
      for (const stream of outputs.values()) stream.destroy();
    },
  };
}

/** A process that is there reads it; how one has ended that is not, will be told. */
function give(fd: number, text: string): void {
  try {
    writeFileSync(fd, text);
  } catch (error) {
    if (errnoOf(error) !== 'EPIPE') throw error;
  } finally {
    closeSync(fd);
  }
}
