/** The processes of this machine, as /proc tells them (proc(5)). */
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  /** The program's name, of which the kernel keeps 15 characters. */
  readonly name: string;
  /** Bytes in memory, shared ones included. */
  readonly rss: number;
}

const PAGE = 4096;
const KTHREADD = 2;

export interface ProcessTable {
  read(): readonly ProcessEntry[];
}

/** Kernel threads are looked at once: they have no memory, and there are more of them than of anything else. */
export function openProcessTable(): ProcessTable {
  const kernelThreads = new Set<number>();
  return {
    read() {
      const entries: ProcessEntry[] = [];
      for (const name of readdirSync('/proc')) {
        const pid = Number(name);
        if (!Number.isInteger(pid) || kernelThreads.has(pid)) continue;
        const entry = readProcess(pid);
        if (entry === undefined) continue;
        if (entry.parent === KTHREADD) kernelThreads.add(pid);
        else entries.push(entry);
      }
      return entries;
    },
  };
}

function readProcess(pid: number): ProcessEntry | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return undefined; // It has ended meanwhile.
  }
}

/** A name may hold spaces and parentheses: it ends at the last one. */
export function parseStat(text: string): ProcessEntry {
  const opening = text.indexOf('(');
  const closing = text.lastIndexOf(')');
  const fields = text.slice(closing + 2).split(' ');
  return {
    pid: Number(text.slice(0, opening)),
    name: text.slice(opening + 1, closing),
    parent: Number(fields[1]),
    rss: Number(fields[21]) * PAGE,
  };
}

/** Those in `roots`, those that they started, those that these started, and so on. */
export function descendants(
  table: readonly ProcessEntry[],
  roots: ReadonlySet<number>,
): readonly ProcessEntry[] {
  const children = new Map<number, ProcessEntry[]>();
  for (const entry of table) {
    const siblings = children.get(entry.parent);
    if (siblings === undefined) children.set(entry.parent, [entry]);
    else siblings.push(entry);
  }
  const found = new Map<number, ProcessEntry>();
  const pending = table.filter((entry) => roots.has(entry.pid));
  for (let entry = pending.pop(); entry !== undefined; entry = pending.pop()) {
    if (found.has(entry.pid)) continue;
    found.set(entry.pid, entry);
    pending.push(...(children.get(entry.pid) ?? []));
  }
  return [...found.values()];
}
