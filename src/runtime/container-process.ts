/**
 * A container as the child process of an OCI runtime's command line, which runc.ts and crun.ts share: each says how it
 * is called, and what it writes of the container. Where containers follow each other, as the steps of a build do, the process
 * of the next one is started while one runs, see waiting-process.ts.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { basename, join } from 'node:path';
import { errnoOf, TsbuildError } from '../errors.ts';
import type { PidNamespace } from '../host/pid-namespace.ts';
import { descendants, kill, pidsOf } from '../host/process.ts';
import type { ContainerExit, RunOptions, Runtime } from './runtime.ts';
import { type Exit, type Stdio, startWaiting, type WaitingProcess } from './waiting-process.ts';

export interface RuntimeProgramOptions {
  /** The program, see `findExecutable`. */
  readonly file: string;
  /** An existing directory for what it keeps of its containers: a tmpfs that goes with us. */
  readonly state: string;
  readonly env: Readonly<Record<string, string>>;
  /** Where it is born, if not in the namespace of this process. */
  readonly pidNamespace?: (() => Promise<PidNamespace>) | undefined;
  /**
   * Whether a process that was started before a root filesystem is mounted will see it. Its namespaces are copies of ours.
   */
  readonly ahead?: boolean;
}

/** What is the program's own. */
export interface RuntimeProgram {
  /** Runs the container of which the config comes out of `CONFIG_FD`; its directory has room for a log and for state. */
  readonly command: (file: string, directory: string) => readonly string[];
  /** The first process of a container, by what the program keeps of it in its directory; it may not be there yet. */
  readonly readPid: (directory: string) => unknown;
  /**
   * What the last error in its log means, when a container did not start.
   * @throws TsbuildError `EXECUTOR` if it is not the container's program that is at fault
   */
  readonly startFailure: (problem: string) => ContainerExit;
}

/** Of both programs, before the command `run`. */
export function usualArgs(directory: string): string[] {
  return ['--root', join(directory, 'state'), '--log', logFile(directory), '--log-format', 'json'];
}

/** The last ones. A container's name is that of its directory. */
export function containerArgs(directory: string): string[] {
  return ['--bundle', directory, basename(directory)];
}

/** What the program keeps of the container. */
export function stateFile(directory: string, name: string): string {
  return join(directory, 'state', basename(directory), name);
}

/** How often a container that was told to die is looked at. */
const KILL_INTERVAL = 20;
/** After so many looks, the runtime itself is killed as well. */
const KILL_PATIENCE = 100;

export function createRuntime(program: RuntimeProgram, options: RuntimeProgramOptions): Runtime {
  /** Directories of those that run, by id. */
  const running = new Map<string, string>();
  const start = starter(program, options);
  const spares = createSpares(start);
  const killInit = (id: string, signal: NodeJS.Signals): boolean => {
    const directory = running.get(id);
    const pid = directory === undefined ? undefined : initPid(program, directory);
    if (pid !== undefined) kill(pid, signal);
    return pid !== undefined;
  };
  return {
    run: async (id, config, run) => {
      const namespace = await options.pidNamespace?.();
      run.signal?.throwIfAborted();
      const stdio = { ...run.io, terminal: run.terminal === true };
      const { waiting, directory } = spares.take(stdio) ?? start(namespace, stdio);
      const { child } = waiting;
      const onAbort = (): void => killUntilGone(child);
      try {
        running.set(id, directory);
        run.signal?.addEventListener('abort', onAbort, { once: true });
        child.once('exit', (_, signal) => {
          // The container may live.
          if (signal !== null) killInit(id, 'SIGKILL');
        });
        const outputs = [...waiting.outputs].map(([name, stream]) => pump(stream, name, run));
        feed(child, stdio);
        begin(waiting, config, run);
        if (options.ahead) spares.prepare(namespace, stdio);
        // With the first process of its pid namespace, the kernel kills all others.
        const exit = await waiting.ended;
        // Killed with all others in there, which is more than the end of a container.
        if (exit[1] !== null) await namespace?.isThere();
        await Promise.all(outputs);
        run.signal?.throwIfAborted();
        return exitOf(exit, () => readLog(directory), program);
      } finally {
        run.signal?.removeEventListener('abort', onAbort);
        running.delete(id);
        rmSync(directory, { recursive: true, force: true });
      }
    },
    kill: killInit,
    [Symbol.dispose]: () => spares[Symbol.dispose](),
  };
}

interface StartedRuntime {
  readonly waiting: WaitingProcess;
  /** Its own. */
  readonly directory: string;
}

type Start = (namespace: PidNamespace | undefined, stdio: Stdio) => StartedRuntime;

function starter(program: RuntimeProgram, { file, state, env }: RuntimeProgramOptions): Start {
  return (namespace, stdio) => {
    // A clock that only goes forward names each container once.
    const directory = join(state, process.hrtime.bigint().toString(36));
    mkdirSync(directory);
    const command = [...(namespace?.command ?? []), ...program.command(file, directory)];
    return { directory, waiting: startWaiting({ command, env, namespace }, stdio) };
  };
}

/** The process of the next container, if it is one like those before: nobody reads its stdin, and its output is piped. */
function createSpares(start: Start) {
  let spare: StartedRuntime | undefined;
  let isOpen = true;
  const isUsual = ({ stdin, stdout, stderr, terminal }: Stdio): boolean =>
    stdin === 'none' && stdout === 'pipe' && stderr === 'pipe' && !terminal;
  const drop = (): void => {
    if (spare === undefined) return;
    spare.waiting.dismiss();
    rmSync(spare.directory, { recursive: true, force: true });
    spare = undefined;
  };
  return {
    take: (stdio: Stdio): StartedRuntime | undefined => {
      if (!isUsual(stdio)) return undefined;
      if (spare?.waiting.isThere() === false) drop();
      const taken = spare;
      spare = undefined;
      return taken;
    },
    /** Soon, but not now: the container that has just begun comes first. */
    prepare: (namespace: PidNamespace | undefined, stdio: Stdio): void => {
      if (!isUsual(stdio)) return;
      setImmediate(() => {
        if (!isOpen || spare !== undefined) return;
        try {
          spare = start(namespace, stdio);
        } catch {
          // The next container is told why.
        }
      });
    },
    [Symbol.dispose]: (): void => {
      isOpen = false;
      drop();
    },
  };
}

/** Who cannot be let into its cgroup is not told what to run. */
function begin(waiting: WaitingProcess, config: string, { cgroup }: RunOptions): void {
  try {
    if (waiting.child.pid !== undefined) cgroup?.join(waiting.child.pid);
  } catch (error) {
    waiting.dismiss();
    throw error;
  }
  waiting.begin(config);
}

function feed(child: ChildProcess, { stdin }: Stdio): void {
  if (child.stdin === null || typeof stdin !== 'object') return;
  // The container may end, or close its stdin, before it has read everything.
  stdin.pipe(child.stdin.on('error', () => stdin.unpipe()));
  child.once('close', () => stdin.destroy());
}

/**
 * Hands bytes over, one piece at a time: a container that writes faster than they are taken has to wait. Done when there are
 * no more.
 */
function pump(stream: Socket, name: 'stdout' | 'stderr', run: RunOptions): Promise<void> {
  stream.on('data', async (bytes: Buffer) => {
    stream.pause();
    await run.onOutput?.(name, bytes);
    stream.resume();
  });
  return new Promise((resolve) => stream.once('close', () => resolve()));
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

function logFile(directory: string): string {
  return join(directory, 'runtime.log');
}

/**
 * The errors in the runtime's log: what made it give up. It has none when the container ran, however that ended; warnings it
 * may have, and crun writes some of them as plain text.
 */
function readLog(directory: string): string[] {
  let text: string;
  try {
    text = readFileSync(logFile(directory), 'utf8');
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
