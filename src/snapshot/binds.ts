/** Mounts of a snapshot's root. */
import { errnoOf } from '../errors.ts';
import { MNT_DETACH, MS_BIND, MS_REMOUNT, mount, umount } from '../host/syscalls.ts';

/** Shows `source` at `target`; a bind mount takes its flags only when it is mounted again. */
export function bind(source: string, target: string, flags: number): void {
  mount(source, target, '', MS_BIND);
  if (flags !== 0) mount('', target, '', MS_BIND | MS_REMOUNT | flags);
}

/** What is not mounted, or not there, needs no unmounting. */
export function unmount(target: string): void {
  try {
    umount(target, MNT_DETACH);
  } catch (error) {
    const code = errnoOf(error);
    if (code !== 'EINVAL' && code !== 'ENOENT') throw error;
  }
}
