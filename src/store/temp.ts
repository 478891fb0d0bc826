/**
 * Temporary files and directories. Each name says which process made it: the boot, the pid namespace, the pid, and when that process
 * started, since pids come again. So what a dead process left can be told from what a living one is writing.
 */
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { diskError } from '../host/disk-error.ts';

/** How long what was made in another pid namespace (a container), where we cannot see who lives, is left alone. */
const FOREIGN_MILLISECONDS = 7 * 24 * 3600 * 1000;

export interface TempArea {
  directory(): string;
  file(): string;
}

/** `root` must exist by the first call of a method, which also sweeps what dead processes left. */
export function createTempArea(root: string): TempArea {
  let owner: string | undefined;
  const name = () => {
    if (owner === undefined) {
      owner = ownerName();
      sweepTemp(root, owner);
    }
    return path.join(root, `${owner}-${randomBytes(6).toString('hex')}`);
  };
  return {
    file: name,
    directory() {
      const directory = name();
      try {
        fs.mkdirSync(directory, { mode: 0o700 });
      } catch (cause) {
        throw diskError(cause, `create ${directory}`);
      }
      return directory;
    },
  };
}

/** Works in a new temporary directory of the store, and removes it whatever happens. */
export async function inTempDir<T>(
  store: { tempDir(): string },
  work: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = store.tempDir();
  try {
    return await work(directory);
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

/** Removes what is surely abandoned, as far as it can be removed; never throws. Returns what was removed. */
export function sweepTemp(root: string, self: string = ownerName()): string[] {
  return staleTemp(root, self).filter((file) => {
    try {
      fs.rmSync(file, { recursive: true, force: true });
      return true;
    } catch {
      return false; // Files of a rootless container belong to ids that only its user namespace can act for.
    }
  });
}

export function staleTemp(root: string, self: string = ownerName()): string[] {
  const files = readNames(root).map((name) => path.join(root, name));
  return files.filter((file) => isStale(file, self));
}

function isStale(file: string, self: string): boolean {
  const [boot, namespace, pid, start] = path.basename(file).split('-');
  const [ownBoot, ownNamespace] = self.split('-');
  if (start === undefined) return isOlderThan(file, FOREIGN_MILLISECONDS);
  if (boot !== ownBoot) return true;
  if (startTime(pid!) === start) return false;
  return namespace === ownNamespace || isOlderThan(file, FOREIGN_MILLISECONDS);
}

function ownerName(): string {
  const boot = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
  const namespace = /\d+/.exec(fs.readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0';
  // Not process.pid: in a pid namespace that still has its parent's /proc, the number there is the one that can be looked up.
  return [boot, namespace, fs.readlinkSync('/proc/self'), startTime('self') ?? '0'].join('-');
}

/**
 * Field 22 of proc_pid_stat(5); the fields are counted from behind the name, which may hold anything. `undefined` for a process
 * that is gone, though nobody may have asked for its end yet: in many containers, nobody ever does.
 */
function startTime(pid: string): string | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return ZOMBIE.includes(fields[0]!) ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** States. */
const ZOMBIE = ['Z', 'X'];

function isOlderThan(file: string, milliseconds: number): boolean {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false });
  return stat !== undefined && Date.now() - stat.mtimeMs > milliseconds;
}

function readNames(directory: string): string[] {
  try {
    return fs.readdirSync(directory);
  } catch {
    return [];
  }
}
