/** What is alive on this machine, seen from outside. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { descendants, pidsOf } from '../../src/host/process.ts';

export interface ProcessInfo {
  readonly pid: number;
  readonly args: readonly string[];
}

/** The processes whose arguments or environment hold `mark`, apart from this one. */
export function processesWith(mark: string): ProcessInfo[] {
  return pids()
    .filter((pid) => pid !== process.pid)
    .map((pid) => ({ pid, text: read(pid, 'cmdline'), environment: read(pid, 'environ') }))
    .filter(({ text, environment }) => text.includes(mark) || environment.includes(mark))
    .map(({ pid, text }) => ({ pid, args: text.split('\0') }));
}

/** The executor of a build process, or what its containers depend on: the first process of a pid namespace. */
export function executorOf(pid: number): number | undefined {
  return descendants(pid).find((each) => {
    const pids = pidsOf(each);
    return pids.length === 2 && pids[1] === 1;
  });
}

/** The mounts that any process has on something below `directory`. */
export function mountsBelow(directory: string): string[] {
  const lines = pids().flatMap((pid) => read(pid, 'mountinfo').split('\n'));
  return [...new Set(lines.filter((line) => line.includes(directory)))];
}

/** Looks until `find` finds nothing: what the kernel kills is gone soon, but not at once. */
export async function untilNone(
  find: () => readonly unknown[],
  milliseconds = 10_000,
): Promise<void> {
  const end = Date.now() + milliseconds;
  for (let found = find(); found.length > 0; found = find()) {
    if (Date.now() > end) throw new Error(`still there: ${JSON.stringify(found)}`);
    await setTimeout(20);
  }
}

function pids(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0);
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}
