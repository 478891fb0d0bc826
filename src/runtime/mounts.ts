/** The mounts that every container has, and those of the files that the host provides. */
import { readFileSync } from 'node:fs';
import type { Abilities, ContainerSpec, RuntimeMount } from './runtime.ts';

/**
 * https://github.com/opencontainers/runtime-spec/blob/v1.1.0/config-linux.md#default-filesystems and what Docker has
 * beside them. An `insecure` container may open all devices and write to /sys.
 */
export function standardMounts(spec: ContainerSpec, abilities: Abilities): RuntimeMount[] {
  const insecure = spec.security === 'insecure';
  return [
    fresh('/proc', 'proc', ['nosuid', 'noexec', 'nodev']),
    fresh('/dev', 'tmpfs', [
      'nosuid',
      ...(insecure ? [] : ['nodev']),
      'strictatime',
      'mode=755',
      'size=65536k',
    ]),
    // On a `nodev` /dev, nodes would open nothing: each is a mount that allows it.
    ...(insecure ? [] : [...spec.devices].map(bindDevice)),
    fresh('/dev/pts', 'devpts', [
      'nosuid',
      'noexec',
      'newinstance',
      'ptmxmode=0666',
      'mode=0620',
      'gid=5',
    ]),
    fresh('/dev/shm', 'tmpfs', [...QUIET, 'mode=1777', `size=${spec.shmSize}`], 'shm'),
    fresh('/dev/mqueue', 'mqueue', QUIET),
    sys(spec, abilities),
    ...(abilities.unifiedCgroup && !insecure
      ? [fresh('/sys/fs/cgroup', 'cgroup', [...QUIET, 'relatime', 'ro'])]
      : []),
  ];
}

/**
 * A bind mount of a host path. A user namespace may not take away what the host's mount forbids, so that is kept.
 * Nothing in it opens a device, see {@link standardMounts}.
 */
export function bindMount(
  source: string,
  destination: string,
  options: { readonly?: boolean; propagation?: string; devices?: boolean } = {},
): RuntimeMount {
  const flags = new Set([
    'rbind',
    options.propagation ?? 'rprivate',
    options.readonly ? 'ro' : 'rw',
    ...(options.devices ? [] : ['nodev']),
    ...lockedFlags(source, readFileSync('/proc/self/mountinfo', 'utf8')),
  ]);
  if (flags.has('ro')) flags.delete('rw');
  return { destination, type: 'bind', source, options: [...flags] };
}

/** The flags of the mount that `path` lies on: field 6 of proc_pid_mountinfo(5). */
export function lockedFlags(path: string, mountinfo: string): string[] {
  let best = { length: -1, options: '' };
  for (const line of mountinfo.split('\n')) {
    const [, , , , escaped, options] = line.split(' ');
    if (escaped === undefined || options === undefined) continue;
    const point = escaped.replace(/\\(\d{3})/g, (_, octal) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    const covers = point === '/' || path === point || path.startsWith(`${point}/`);
    // Of two mounts at one place, the later one is seen.
    if (covers && point.length >= best.length) best = { length: point.length, options };
  }
  return best.options.split(',').filter((flag) => LOCKABLE.includes(flag));
}

const QUIET = ['nosuid', 'noexec', 'nodev'];
const LOCKABLE = ['ro', 'nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime', 'relatime'];

function fresh(
  destination: string,
  type: string,
  options: readonly string[],
  source = type,
): RuntimeMount {
  return { destination, type, source, options };
}

/**
 * crun binds the root to itself without the flags that it was mounted with, and makes it read-only without them, too: devices
 * that a container makes by mknod(2), or that its image holds, would open. So it is told as a mount what the root is like; it
 * refuses to mount at `/`, but not at this name for it. runc keeps the flags, and refuses both names.
 */
export function rootAsItIs({ root, readonlyRoot, security }: ContainerSpec): RuntimeMount {
  const options = [
    ...['bind', 'remount', readonlyRoot ? 'ro' : 'rw'],
    ...(security === 'insecure' ? [] : ['nodev']),
  ];
  return { destination: '/.', type: 'bind', source: root, options };
}

function bindDevice([destination, source]: readonly [string, string]): RuntimeMount {
  return { destination, type: 'bind', source, options: ['bind'] };
}

/**
 * sysfs shows a network namespace, so only who owns that may mount it: not a user namespace on the host's network.
 */
function sys(spec: ContainerSpec, abilities: Abilities): RuntimeMount {
  const options = [...QUIET, ...(spec.security === 'insecure' ? ['rw'] : ['ro'])];
  return abilities.rootless && spec.network === 'host'
    ? { destination: '/sys', type: 'bind', source: '/sys', options: [...QUIET, 'rbind', 'ro'] }
    : fresh('/sys', 'sysfs', options);
}
