/**
 * An executor in the build process itself, for a process that has nothing else to do (`HostOptions.dedicated`), as root:
 * a second Node would take longer to start than most containers run. Mounts are made in a mount namespace of the main
 * thread's own, and containers are born in a pid namespace, so here, too, the kernel ends everything with the process.
 *
 *     tsbuild ─ unshare ─ sh
 *        └ unshare ⇒ crun ─ container
 */

import { makePidNamespace } from '../host/pid-namespace.ts';
import { CLONE_NEWNS, MS_REC, MS_SLAVE, mount, unshare } from '../host/syscalls.ts';
import { createWorkers } from '../host/workers.ts';
import type { LaunchOptions } from './launch.ts';
import { launchFailure } from './launch-failure.ts';
import type { FromExecutor, ToExecutor } from './messages.ts';
import type { Meet } from './peer.ts';
import { serve, THREADS } from './serve.ts';

/** @throws TsbuildError `UNSUPPORTED_HOST` */
export function meetHere({ entry, searchPath }: Omit<LaunchOptions, 'rootless'>): Meet {
  enterOwnMounts();
  const pidNamespace = makePidNamespace(searchPath);
  // Told with the first container.
  pidNamespace.catch(() => {});
  return ({ onMessage, onEnd }) => {
    // What is made in there shall not depend on who called.
    const umask = process.umask(0o022);
    const workers = createWorkers({ entry, size: THREADS, lasting: true });
    let isThere = true;
    const end = (why: string): void => {
      if (!isThere) return;
      isThere = false;
      process.umask(umask);
      void workers[Symbol.asyncDispose]();
      pidNamespace.then(
        (namespace) => namespace[Symbol.dispose](),
        () => {},
      );
      onEnd(why);
    };
    const server = serve({
      workers,
      streams: { stdin: 0, stdout: 1, stderr: 2 },
      pidNamespace: () => pidNamespace,
      send: async (message: FromExecutor) => {
        if (isThere) onMessage(message);
      },
      onStopped: () => end('status 0'),
    });
    const kill = (why: string): void => {
      server.close();
      end(why);
    };
    pidNamespace.then(
      ({ onEnd }) => onEnd(() => kill('its pid namespace ended')),
      () => {},
    );
    return {
      isThere: () => isThere,
      send: (message: ToExecutor) => {
        if (isThere) server.receive(message);
      },
      kill: () => kill('killed'),
      lastWords: () => '',
    };
  };
}

/** What the host mounts later appears here, too; what we mount, nowhere else. */
function enterOwnMounts(): void {
  try {
    unshare(CLONE_NEWNS);
    mount('none', '/', '', MS_REC | MS_SLAVE);
  } catch (error) {
    throw launchFailure((error as Error).message, false);
  }
}
