/**
 * Peak memory of everything that works on a command: the process, all that it starts, and the daemons that do its work.
 * The sum of resident sets, so pages that processes share count once for each of them; the same for every tool.
 */
import { descendants, type ProcessEntry, type ProcessTable } from './process-table.ts';

export interface MemoryWatch {
  /** Bytes. */
  readonly peak: number;
  /** Stops looking. */
  stop(): void;
  /** Whether something that the command started is still there. */
  lingers(): boolean;
}

/** Looking must not slow down what is looked at: a twentieth of one core, however many processes there are. */
const SHARE = 20;
const SHORTEST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 100;

export function watchMemory(pid: number, daemons: RegExp | undefined, table: ProcessTable) {
  // A process whose parent has ended gets another parent: what was ours once remains ours.
  const ours = new Set([pid]);
  let peak = 0;
  let timer: NodeJS.Timeout | undefined;
  const look = (): readonly ProcessEntry[] => {
    const entries = table.read();
    const own = descendants(entries, ours);
    for (const entry of own) ours.add(entry.pid);
    const roots = entries.filter((entry) => daemons?.test(entry.name)).map((entry) => entry.pid);
    const all = roots.length === 0 ? own : descendants(entries, new Set([...ours, ...roots]));
    peak = Math.max(
      peak,
      all.reduce((sum, entry) => sum + entry.rss, 0),
    );
    return own;
  };
  const repeat = () => {
    // Time of the processor: on a busy machine the clock runs on while somebody else works.
    const start = process.cpuUsage();
    look();
    const { user, system } = process.cpuUsage(start);
    const pause = ((user + system) / 1000) * SHARE;
    timer = setTimeout(repeat, Math.min(Math.max(pause, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS));
  };
  repeat();
  return {
    get peak() {
      return peak;
    },
    stop: () => clearTimeout(timer),
    lingers: () => descendants(table.read(), ours).some((entry) => entry.pid !== pid),
  } satisfies MemoryWatch;
}
