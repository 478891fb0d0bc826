/**
 * A container as the child process of an OCI runtime's command line, which runc.ts and crun.ts share: each says how it
 * is called, and what it writes of the container.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, readFileSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { errnoOf, TsbuildError } from '../errors.ts';
import type { PidNamespace } from '../host/pid-namespace.ts';
import { descendants, kill, pidsOf } from '../host/process.ts';
import { pipe } from '../host/syscalls.ts';
import type { Cgroup } from './cgroup.ts';
import type { ContainerExit, RunOptions, Runtime } from './runtime.ts';

export interface RuntimeProgramOptions {
  /** The program, see `findExecutable`. */
  readonly file: string;
  /** Where it keeps its state: a tmpfs that goes with us. */
  readonly state: string;
  readonly env: Readonly<Record<string, string>>;
  /** Where it is born, if not in the namespace of this process. */
  readonly pidNamespace?: (() => Promise<PidNamespace>) | undefined;
}

/** What is the program's own. */
export interface RuntimeProgram {
  /** Before the command `run`. */
  readonly globalArgs: readonly string[];
  /** The first process of a container, by what the program keeps of it in a directory; it may not be there yet. */
  readonly readPid: (directory: string) => unknown;
  /**
   * What the last error in its log means, when a container did not start.
   * @throws TsbuildError `EXECUTOR` if it is not the container's program that is at fault
   */
  readonly startFailure: (problem: string) => ContainerExit;
}

/** How often a container that was told to die is looked at. */
const KILL_INTERVAL = 20;
/** After so many looks, the runtime itself is killed as well. */
const KILL_PATIENCE = 100;

export function createRuntime(program: RuntimeProgram, options: RuntimeProgramOptions): Runtime {
  const killInit = (id: string, signal: NodeJS.Signals): boolean => {
    const pid = initPid(program, join(options.state, id));
    if (pid !== undefined) kill(pid, signal);
    return pid !== undefined;
  };
  return {
    run: async (id, bundle, run) => {
      const namespace = await options.pidNamespace?.();
      run.signal?.throwIfAborted();
      const command = commandOf(program, options, bundle, id);
      const { child, outputs } = start(command, { ...options, namespace }, run);
      const onAbort = (): void => killUntilGone(child);
      run.signal?.addEventListener('abort', onAbort, { once: true });
      try {
        // With the first process of its pid namespace, the kernel kills all others.
        const exit = await ended(child, () => killInit(id, 'SIGKILL'));
        // Killed with all others in there, which is more than the end of a container.
        if (exit[1] !== null) await namespace?.isThere();
        await Promise.all(outputs);
        run.signal?.throwIfAborted();
        return exitOf(exit, () => readLog(bundle), program);
      } finally {
        run.signal?.removeEventListener('abort', onAbort);
        rmSync(join(options.state, id), { recursive: true, force: true });
      }
    },
    kill: killInit,
  };
}

function commandOf(
  program: RuntimeProgram,
  options: RuntimeProgramOptions,
  bundle: string,
  id: string,
): string[] {
  return [
    ...[options.file, ...program.globalArgs, '--root', options.state],
    ...['--log', logFile(bundle), '--log-format', 'json'],
    ...['run', '--bundle', bundle, id],
  ];
}

interface Started {
  readonly child: ChildProcess;
  /** Done when all that the container wrote has been handed over. */
  readonly outputs: readonly Promise<void>[];
}

interface Birth {
  readonly env: Readonly<Record<string, string>>;
  readonly namespace: PidNamespace | undefined;
}

function start(command: readonly string[], { env, namespace }: Birth, run: RunOptions): Started {
  const { stdin } = run.io;
  const [file, ...args] = [
    ...(run.cgroup === undefined ? [] : ['/bin/sh', '-c', GATE, 'sh']),
    ...(namespace === undefined ? [] : namespace.command),
    ...command,
  ];
  const input = typeof stdin === 'number' ? stdin : stdin === 'none' ? 'ignore' : 'pipe';
  const outputs = (['stdout', 'stderr'] as const).map((name) => openOutput(name, run));
  const options: SpawnOptions = {
    env,
    stdio: [
      input,
      ...outputs.map(({ writing }) => writing),
      run.cgroup === undefined ? 'ignore' : 'pipe',
    ],
    // A terminal's Ctrl-C goes to its whole process group, and the runtime would pass it on once more. Only a container
    // with a terminal of its own, for which the runtime reads ours, must stay in the group that may read.
    detached: run.terminal !== true,
  };
  const begin = () => spawn(file!, args, options);
  const child = namespace === undefined ? begin() : namespace.enter(begin);
  for (const { started } of outputs) started();
  if (child.stdin !== null && typeof stdin === 'object') {
    // The container may end, or close its stdin, before it has read everything.
    stdin.pipe(child.stdin.on('error', () => stdin.unpipe()));
    child.once('close', () => stdin.destroy());
  }
  if (run.cgroup !== undefined) letIn(child, run.cgroup);
  return { child, outputs: outputs.map(({ ended: end }) => end) };
}

interface Output {
  /** The descriptor that the container writes to. */
  readonly writing: number;
  /** To be called when the container has it. */
  readonly started: () => void;
  readonly ended: Promise<void>;
}

/** A pipe, unless there is a descriptor: what Node gives a child is a socket, for which /dev/stdout cannot be opened. */
function openOutput(name: 'stdout' | 'stderr', run: RunOptions): Output {
  const given = run.io[name];
  if (given !== 'pipe') {
    return { writing: given, started: () => {}, ended: Promise.resolve() };
  }
  const { reading, writing } = pipe();
  const stream = new Socket({ fd: reading, readable: true, writable: false });
  const ended = new Promise<void>((resolve) => stream.once('close', () => resolve()));
  pump(stream, name, run);
  return { writing, started: () => closeSync(writing), ended };
}

/** Waits until the process has been moved into its cgroup, and becomes the runtime. */
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
function pump(stream: Socket, name: 'stdout' | 'stderr', run: RunOptions): void {
  stream.on('data', async (bytes: Buffer) => {
    stream.pause();
    await run.onOutput?.(name, bytes);
    stream.resume();
  });
}

type Exit = readonly [status: number | null, signal: NodeJS.Signals | null];

/**
 * Waits for the end of the runtime. `onDeath` is called if it was killed, while the container may live.
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
 * Kills what the runtime has started, until it has seen that and ended. Not the runtime itself, at first: alone it
 * knows what else there is to clear up.
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

/**
 * The first process of the container's pid namespace: of those below us, which it is even when its runtime was killed, that
 * which the runtime's namespace knows by the pid that the runtime has kept.
 */
function initPid(program: RuntimeProgram, directory: string): number | undefined {
  let known: unknown;
  try {
    known = program.readPid(directory);
  } catch {
    return undefined;
  }
  return descendants(process.pid).find((pid) => {
    const [inRuntimes, own] = pidsOf(pid).slice(-2);
    return inRuntimes === known && own === 1;
  });
}

function exitOf(
  [status, signal]: Exit,
  readProblems: () => readonly string[],
  program: RuntimeProgram,
): ContainerExit {
  const problem = status === 0 ? undefined : readProblems().at(-1);
  if (problem !== undefined) return program.startFailure(problem);
  if (signal !== null)
    throw new TsbuildError('EXECUTOR', `the container's runtime was killed by ${signal}`);
  const exitCode = status ?? 0;
  // A signal is reported as the shell does: 128 + its number.
  const ending = signalName(exitCode - 128);
  return { exitCode, ...(ending === undefined ? {} : { signal: ending }) };
}

function signalName(number: number): NodeJS.Signals | undefined {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found?.[0] as NodeJS.Signals | undefined;
}

function logFile(bundle: string): string {
  return join(bundle, 'runtime.log');
}

/**
 * The errors in the runtime's log: what made it give up. It has none when the container ran, however that ended; warnings it
 * may have, and crun writes some of them as plain text.
 */
function readLog(bundle: string): string[] {
  let text: string;
  try {
    text = readFileSync(logFile(bundle), 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
  return text.split('\n').flatMap((line) => {
    const entry = parseEntry(line);
    return entry?.level === 'error' ? [String(entry.msg)] : [];
  });
}

function parseEntry(line: string): { level?: unknown; msg?: unknown } | null | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
