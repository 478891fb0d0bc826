/** Puts together what requests are run with: mounts of this process's own, the snapshotter, the runtime. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TsbuildError } from '../errors.ts';
import { findExecutable } from '../host/process.ts';
import {
  MNT_DETACH,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  mount,
  umount,
} from '../host/syscalls.ts';
import { adoptLayer } from '../layer/adopt.ts';
import { writeChanges } from '../layer/diff.ts';
import type { Layer } from '../layer/layer.ts';
import { prepareMountable } from '../layer/mountable.ts';
import { probeForms } from '../layer/probe-forms.ts';
import { readAbilities } from '../runtime/abilities.ts';
import { createRunc } from '../runtime/runc.ts';
import { createOverlaySnapshotter } from '../snapshot/overlay.ts';
import { openStore } from '../store/store.ts';
import { containerIO } from './container-io.ts';
import type { Session } from './messages.ts';
import type { Workshop } from './run-request.ts';

export function openWorkshop(session: Session, onWarning: (message: string) => void): Workshop {
  const { home, directory, searchPath } = session;
  const abilities = readAbilities();
  const { rootless } = abilities;
  const run = join(directory, 'run');
  mountPrivate(run);
  hideCgroups(abilities.unifiedCgroup);
  const inRun = (name: string): string => {
    mkdirSync(join(run, name));
    return join(run, name);
  };
  const store = openStore(home);
  const snapshots = createOverlaySnapshotter({
    directory: join(directory, 'snapshots'),
    trash: join(directory, 'trash'),
    userXattr: rootless,
  });
  const runtime = createRunc({
    file: findRunc(searchPath),
    state: inRun('runc'),
    env: { PATH: searchPath },
  });
  const mountable = { home, rootless, mounts: inRun('layers'), onWarning };
  const forms = probeForms(mountable);
  const lowers = new Map<string, string>();
  const lowerOf = (layer: Layer): string => {
    const known = lowers.get(layer.diffID);
    if (known !== undefined) return known;
    const { lower } = prepareMountable(layer, { ...mountable, forms });
    lowers.set(layer.diffID, lower);
    return lower;
  };
  return {
    bundles: inRun('bundles'),
    abilities,
    snapshots,
    runtime,
    lowersOf: async (layers) => layers.map(lowerOf),
    commit: async (snapshot, parents, sourceDateEpoch) => {
      const place = mkdtempSync(join(directory, 'layer-'));
      const options = {
        directory: place,
        ...(sourceDateEpoch === undefined ? {} : { sourceDateEpoch }),
      };
      try {
        const written = writeChanges(snapshots.changes(snapshot), parents, options);
        return written && adoptLayer(store, written);
      } finally {
        rmSync(place, { recursive: true, force: true });
      }
    },
    ioOf: containerIO,
  };
}

/** Bundles with secrets and device nodes, and the runtime's state: in memory, seen by nobody else, and gone with this process. */
function mountPrivate(directory: string): void {
  mkdirSync(directory);
  try {
    mount('tmpfs', directory, 'tmpfs', MS_NOSUID, 'mode=700');
  } catch (cause) {
    throw new TsbuildError('UNSUPPORTED_HOST', 'mount a tmpfs in the executor', { cause });
  }
}

/**
 * Containers get no cgroup of their own, see runtime/runtime.ts. runc makes one where it can, so it shall see none that it can
 * write to.
 */
function hideCgroups(unified: boolean): void {
  try {
    umount('/sys/fs/cgroup', MNT_DETACH);
  } catch {
    // A user namespace cannot unmount what the host mounted, but cannot write to it either.
  }
  try {
    const flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY;
    if (unified) mount('cgroup2', '/sys/fs/cgroup', 'cgroup2', flags);
  } catch {
    // Containers then do without a look at their limits.
  }
}

function findRunc(searchPath: string): string {
  const file = findExecutable('runc', searchPath);
  if (file !== undefined) return file;
  throw new TsbuildError('UNSUPPORTED_HOST', 'run a container: there is no runc', {
    hint: 'install runc, for instance with: apt-get install runc',
  });
}
