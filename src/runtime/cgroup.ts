/**
 * Control groups below one that the caller names (`--cgroup-parent`): the only case in which a container gets one.
 * The hierarchies are reached through descriptors that were opened before the executor unmounted them from its own
 * sight, so runc finds nothing to manage.
 *
 * Only an empty group can be removed, and one that a killed executor left is empty: whoever makes the next one below
 * the same parent takes it away.
 */
import {
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { posix } from 'node:path';
import { errnoOf, TsbuildError } from '../errors.ts';

/** The roots of the hierarchies. */
export interface CgroupRoots {
  readonly paths: readonly string[];
}

export interface Cgroup {
  /** Moves a process into it; what that process starts is born there. */
  join(pid: number): void;
  /** Removes it. To be called when nothing runs in it any more; what is still dying is left to others. */
  remove(): void;
}

export const CGROUPS = '/sys/fs/cgroup';

/** Opens what is mounted below /sys/fs/cgroup; call before that is unmounted. */
export function openCgroupRoots(): CgroupRoots {
  const points = cgroupMounts()
    // A new group of version 1 has no processors until it is given some.
    .filter(({ point, options }) => point.startsWith(CGROUPS) && !options.includes('cpuset'))
    .map(({ point }) => point)
    // Those that another mount hides are listed, too.
    .filter((point) => existsSync(point));
  return {
    paths: points.map((point) => `/proc/self/fd/${openSync(point, constants.O_DIRECTORY)}`),
  };
}

export interface CgroupMount {
  readonly point: string;
  readonly type: 'cgroup' | 'cgroup2';
  /** Of the filesystem: for version 1, the controllers. */
  readonly options: string;
}

/**
 * Every place at which a hierarchy is mounted, in the order of mounting:
 * https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
 */
export function cgroupMounts(): CgroupMount[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [before = '', after = ''] = line.split(' - ');
      const [point] = before.split(' ').slice(4);
      const [type, , options = ''] = after.split(' ');
      return point !== undefined && (type === 'cgroup' || type === 'cgroup2')
        ? [{ point, type, options }]
        : [];
    });
}

/** @throws TsbuildError `UNSUPPORTED_HOST` if groups cannot be made here. */
export function createCgroup(roots: CgroupRoots, parent: string, name: string): Cgroup {
  const groups = roots.paths.map((root) =>
    posix.join(root, posix.resolve('/', parent), PREFIX + name),
  );
  const remove = (): void => {
    for (const group of groups) removeEmpty(group);
  };
  try {
    for (const group of groups) makeGroup(group);
  } catch (cause) {
    remove();
    throw new TsbuildError('UNSUPPORTED_HOST', `make a control group below ${parent}`, {
      cause,
      hint: 'leave out --cgroup-parent, or run as root',
    });
  }
  return {
    remove,
    join: (pid) => {
      for (const group of groups) writeFileSync(posix.join(group, 'cgroup.procs'), String(pid));
    },
  };
}

const PREFIX = 'tsbuild-';

function makeGroup(group: string): void {
  const parent = posix.dirname(group);
  mkdirSync(parent, { recursive: true });
  for (const name of readdirSync(parent)) {
    if (name.startsWith(PREFIX)) removeEmpty(posix.join(parent, name));
  }
  mkdirSync(group);
}

/** Fails silently for a group that has processes or groups in it. */
function removeEmpty(group: string): void {
  try {
    if (existsSync(group)) rmdirSync(group);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}
