/** Mounts of the executor's own, which only it and its containers see. */
import { mkdirSync } from 'node:fs';
import { errnoOf, TsbuildError } from '../errors.ts';
import {
  MNT_DETACH,
  MS_BIND,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  MS_REMOUNT,
  MS_SHARED,
  mount,
  umount,
} from '../host/syscalls.ts';
import { CGROUPS, cgroupMounts } from '../runtime/cgroup.ts';

/**
 * Bundles with secrets and device nodes, and the runtime's state: in memory, seen by nobody else, and gone with this
 * process.
 */
export function mountPrivate(directory: string): void {
  mkdirSync(directory);
  try {
    mount('tmpfs', directory, 'tmpfs', MS_NOSUID, 'mode=700');
  } catch (cause) {
    throw new TsbuildError('UNSUPPORTED_HOST', 'mount a tmpfs in the executor', { cause });
  }
}

/**
 * A directory, empty and new, of which mount namespaces that are made from now on see what is mounted in it later, and what is
 * unmounted.
 */
export function shareMounts(directory: string): void {
  mkdirSync(directory);
  mount(directory, directory, '', MS_BIND);
  mount('', directory, '', MS_SHARED);
}

/**
 * Containers get no cgroup of their own, see runtime/runtime.ts. Yet runtimes look for the hierarchies. runc makes a
 * group where it can, wherever they are mounted, and fails if none is; crun fails unless there is just one. So they
 * shall see one that nobody can write to: that of version 2, which every kernel has. `scratch` is an empty directory.
 */
export function hideCgroups(scratch: string): void {
  const mounts = cgroupMounts();
  const unified = mounts.find(({ type }) => type === 'cgroup2');
  const flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  for (const { point } of mounts.toReversed()) {
    if (!`${point}/`.startsWith(`${CGROUPS}/`)) tryTo(() => umount(point, MNT_DETACH));
  }
  if (unified?.point !== CGROUPS) {
    // To bind takes microseconds, and to mount anew, ten milliseconds.
    if (unified === undefined) tryTo(() => mount('cgroup2', scratch, 'cgroup2', flags));
    else tryTo(() => mount(unified.point, scratch, '', MS_BIND));
    // With all that is mounted below it: each of those would take half a millisecond.
    tryTo(() => umount(CGROUPS, MNT_DETACH));
    tryTo(() => mount(scratch, CGROUPS, '', MS_BIND));
    tryTo(() => umount(scratch, MNT_DETACH));
  }
  // Flags of a mount of its own, since those of the filesystem would be everybody's.
  tryTo(() => mount('', CGROUPS, '', MS_BIND | MS_REMOUNT | MS_RDONLY | flags));
}

/** A user namespace cannot unmount what the host mounted, but cannot write to it either. */
function tryTo(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
  }
}
