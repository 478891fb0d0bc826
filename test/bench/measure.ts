/** Runs commands of a tool and says what they took. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { watchMemory } from './memory.ts';
import { openProcessTable } from './process-table.ts';

export type Command = readonly string[];

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What the commands print; its end is shown when one fails. */
  readonly log: string;
  /** Names of the processes that do the work without being started by the command. */
  readonly daemons?: RegExp | undefined;
  readonly signal: AbortSignal;
}

export interface Measurement {
  /** Wall time of the commands, one after the other. */
  readonly seconds: number;
  /** Bytes, the highest of any moment. */
  readonly peakRss: number;
}

const LONGEST_MS = 30 * 60 * 1000;
/** How long something may go on in the background before the next command is measured all the same. */
const LINGER_MS = 60_000;

/** @throws Error with the end of the log, when a command fails */
export async function measure(
  commands: readonly Command[],
  surroundings: Surroundings,
): Promise<Measurement> {
  let seconds = 0;
  let peakRss = 0;
  for (const command of commands) {
    const one = await measureOne(command, surroundings);
    seconds += one.seconds;
    peakRss = Math.max(peakRss, one.peakRss);
  }
  return { seconds, peakRss };
}

async function measureOne(command: Command, where: Surroundings): Promise<Measurement> {
  const [file, ...args] = command as [string, ...string[]];
  const log = openSync(where.log, 'w');
  // Seen once before the clock runs, which also leaves kernel threads out of what is looked at.
  const table = openProcessTable();
  table.read();
  const signal = AbortSignal.any([where.signal, AbortSignal.timeout(LONGEST_MS)]);
  const start = performance.now();
  const child = spawn(file, args, {
    env: where.env as NodeJS.ProcessEnv,
    stdio: ['ignore', log, log],
    detached: true, // A group of its own, which can be ended as a whole.
  });
  closeSync(log);
  const end = () => killGroup(child.pid);
  signal.addEventListener('abort', end);
  const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  if (child.pid === undefined) await exit; // It could not be started: throws.
  const memory = watchMemory(child.pid!, where.daemons, table);
  const [status, killedBy] = await exit;
  const seconds = (performance.now() - start) / 1000;
  memory.stop();
  signal.removeEventListener('abort', end);
  where.signal.throwIfAborted();
  const deadline = performance.now() + LINGER_MS;
  while (memory.lingers() && performance.now() < deadline) await sleep(10);
  if (status !== 0) {
    throw new Error(`${command.join(' ')}: ended with ${status ?? killedBy}\n${tail(where.log)}`);
  }
  return { seconds, peakRss: memory.peak };
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}

function tail(log: string): string {
  return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-4).join('\n');
}
