/** Puts together what requests are run with: mounts of this process's own, the snapshotter, the runtime. */
import { mkdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
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
import type { Workers } from '../host/workers.ts';
import { adoptLayer } from '../layer/adopt.ts';
import { type ApplyOptions, applyLayer } from '../layer/apply.ts';
import type { Layer, WrittenLayer } from '../layer/layer.ts';
import type { MountableOptions } from '../layer/mountable.ts';
import { probeForms } from '../layer/probe-forms.ts';
import { stackTree } from '../layer/stack.ts';
import { readAbilities } from '../runtime/abilities.ts';
import { createCgroup, openCgroupRoots } from '../runtime/cgroup.ts';
import { createRunc } from '../runtime/runc.ts';
import { openStore, type Store } from '../store/store.ts';
import { walkTree } from '../tree/select.ts';
import { containerIO } from './container-io.ts';
import type { Session } from './messages.ts';
import type { Workshop } from './run-request.ts';
import { chooseSnapshotter, openSnapshotter, type SnapshotChoice } from './snapshots.ts';
import type { CommitTask, Lower, LowerTask, TopTask } from './tasks.ts';

export function openWorkshop(
  session: Session,
  workers: Workers,
  onWarning: (message: string) => void,
): Workshop {
  const { home, directory, searchPath } = session;
  const abilities = readAbilities();
  const run = join(directory, 'run');
  mountPrivate(run);
  const cgroups = openCgroupRoots();
  hideCgroups(abilities.unifiedCgroup);
  const make = (...parts: string[]): string => {
    mkdirSync(join(...parts));
    return join(...parts);
  };
  const places = {
    directory: make(directory, 'snapshots'),
    trash: join(directory, 'trash'),
    userXattr: abilities.rootless,
  };
  const choice: SnapshotChoice =
    session.snapshots === 'copy'
      ? { ...places, kind: 'copy' }
      : chooseSnapshotter(places, onWarning);
  const temp = make(directory, 'temp');
  const { rootless } = abilities;
  const mountable = { home, rootless, mounts: make(run, 'layers'), temp, onWarning };
  return {
    bundles: make(run, 'bundles'),
    abilities,
    ...(choice.kind === 'overlay'
      ? {
          snapshots: openSnapshotter(choice),
          lowersOf: mountedLowers(workers, {
            ...mountable,
            forms: session.forms ?? probeForms(mountable),
          }),
        }
      : copiedLowers(choice, mountable)),
    runtime: createRunc({
      file: findRunc(searchPath),
      state: make(run, 'runc'),
      env: { PATH: searchPath },
    }),
    wake: () => {
      workers.run('executor.wake', undefined).catch(() => {});
    },
    commit: commitWith(workers, choice, openStore(home, { temp })),
    ioOf: containerIO,
    cgroupOf: ({ cgroupParent }, key) =>
      cgroupParent
        ? createCgroup(cgroups, cgroupParent, `${basename(directory)}-${key}`)
        : undefined,
  };
}

/** Without mounts, a layer goes by its name, and its files into each snapshot anew. */
function copiedLowers(
  choice: SnapshotChoice,
  options: ApplyOptions,
): Pick<Workshop, 'lowersOf' | 'snapshots'> {
  const known = new Map<string, Layer>();
  return {
    lowersOf: async (layers) => {
      for (const layer of layers) known.set(layer.diffID, layer);
      return layers.map(({ diffID }) => diffID);
    },
    snapshots: openSnapshotter(choice, (root, lowers) => {
      const tree = stackTree(lowers.map((name) => known.get(name)!));
      const nodes = [{ path: '', node: tree.lookup('')! }, ...walkTree(tree)];
      applyLayer({ entries: new Map(nodes.map((entry) => [entry.path, entry])) }, root, options);
    }),
  };
}

/** A layer is prepared once, whoever asks for it; so is what a stack of them needs on top. */
function mountedLowers(
  workers: Workers,
  { onWarning, ...options }: MountableOptions & { readonly temp: string },
): Workshop['lowersOf'] {
  const { temp, rootless } = options;
  const prepare = once(async (layer: Layer) => {
    const task: LowerTask = { layer, options };
    const onProgress = (message: unknown): void => onWarning?.(String(message));
    return (await workers.run('executor.lower', task, { onProgress })) as Lower;
  });
  const topOf = once(async (layers: readonly Layer[]) => {
    const task: TopTask = { layers, temp, rootless };
    return (await workers.run('executor.top', task)) as string | undefined;
  });
  return async (layers) => {
    const made = await Promise.all(layers.map((layer) => prepare(layer.diffID, layer)));
    const lowers = made.map(({ lower }) => lower);
    if (!made.some(({ hasMarks }) => hasMarks)) return lowers;
    const top = await topOf(layers.map(({ diffID }) => diffID).join(), layers);
    return top === undefined ? lowers : [...lowers, top];
  };
}

/** `make`, whose answers are kept. What failed may work the next time: a full disk has been cleared. */
function once<I, O>(make: (input: I) => Promise<O>): (key: string, input: I) => Promise<O> {
  const known = new Map<string, Promise<O>>();
  return (key, input) => {
    const made = known.get(key) ?? make(input);
    known.set(key, made);
    made.catch(() => known.delete(key));
    return made;
  };
}

function commitWith(workers: Workers, snapshots: SnapshotChoice, store: Store): Workshop['commit'] {
  return async (snapshot, parents, { sourceDateEpoch, signal }) => {
    const directory = store.tempDir();
    const options = { directory, ...(sourceDateEpoch === undefined ? {} : { sourceDateEpoch }) };
    const task: CommitTask = { snapshots, snapshot, parents, options };
    try {
      const written = await workers.run('executor.commit', task, { signal });
      return written === undefined ? undefined : adoptLayer(store, written as WrittenLayer);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
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
