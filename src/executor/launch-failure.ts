/** Why the executor could not be started on this machine, and what to do about it. */
import { readFileSync } from 'node:fs';
import { TsbuildError } from '../errors.ts';

/** `said` is what `unshare` or the shell wrote before it gave up. */
export function launchFailure(said: string, rootless: boolean): TsbuildError {
  const hint = rootless
    ? namespaceHint()
    : 'a container needs --privileged, or at least CAP_SYS_ADMIN and no seccomp filter';
  return new TsbuildError('UNSUPPORTED_HOST', `make namespaces for the executor: ${said}`, {
    hint,
  });
}

/** The switches by which distributions forbid user namespaces. */
function namespaceHint(): string {
  if (setting('kernel/apparmor_restrict_unprivileged_userns') === '1') {
    return 'AppArmor forbids user namespaces: as root, sysctl kernel.apparmor_restrict_unprivileged_userns=0';
  }
  if (setting('kernel/unprivileged_userns_clone') === '0') {
    return 'user namespaces are switched off: as root, sysctl kernel.unprivileged_userns_clone=1';
  }
  if (setting('user/max_user_namespaces') === '0') {
    return 'user namespaces are switched off: as root, sysctl user.max_user_namespaces=15000';
  }
  return 'user namespaces must be allowed here; in a container, by a seccomp profile that permits unshare and mount';
}

function setting(name: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${name}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}
