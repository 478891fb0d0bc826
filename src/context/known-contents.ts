/**
 * What the files were that a COPY took, by their stamp (stamp.ts): with it, a build in which nothing changed need not ask for
 * each file's digest. Good for a day: then all files are looked up once more, so that the stat cache knows that they are in
 * use. One small file of text; if it is damaged or gone, nothing is known.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeFileAtomic } from '../host/atomic-file.ts';
import { lazily } from '../host/lazily.ts';

export interface KnownContents {
  /** Both are sha256 in hex. */
  get(stamp: string): string | undefined;
  set(stamp: string, content: string): void;
  /** Writes what was learnt, together with what other builds wrote meanwhile. Cheap if there is nothing new. */
  save(): void;
}

const DAY = 86_400_000;
const MAX_RECORDS = 1000;

/** Those in `file`, which need not exist yet, nor its directory. */
export function openKnownContents(file: string, now: () => number = Date.now): KnownContents {
  const today = Math.floor(now() / DAY);
  const known = lazily(() => read(file, today));
  const learnt = new Map<string, string>();
  return {
    get: (stamp) => known().get(stamp),
    set: (stamp, content) => void learnt.set(stamp, content),
    save() {
      if (learnt.size === 0) return;
      const records = [...read(file, today), ...learnt].slice(-MAX_RECORDS);
      const lines = records.map(([stamp, content]) => `${stamp} ${content}\n`);
      mkdirSync(dirname(file), { recursive: true });
      writeFileAtomic(file, `${headOf(today)}\n${lines.join('')}`);
      learnt.clear();
    },
  };
}

/** Name and version of the format, and the day. */
function headOf(day: number): string {
  return `tsbuild-contents 1 ${day}`;
}

function read(file: string, today: number): ReadonlyMap<string, string> {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch {
    return new Map();
  }
  const [head, ...lines] = text.split('\n');
  if (head !== headOf(today)) return new Map();
  const records = lines.map((line) => /^([0-9a-f]{64}) ([0-9a-f]{64})$/.exec(line));
  return new Map(records.flatMap((record) => (record ? [[record[1]!, record[2]!]] : [])));
}
