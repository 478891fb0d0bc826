/** Puts together what requests are run with: mounts of this process's own, the snapshotter, the runtime. */
import { mkdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { errnoOf, TsbuildError } from '../errors.ts';
import { findExecutable } from '../host/process.ts';
import {
  MNT_DETACH,
  MS_BIND,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  MS_REMOUNT,
  mount,
  umount,
} from '../host/syscalls.ts';
import type { Workers } from '../host/workers.ts';
import { adoptLayer } from '../layer/adopt.ts';
import { type ApplyOptions, applyLayer } from '../layer/apply.ts';
import type { Layer, WrittenLayer } from '../layer/layer.ts';
import { adoptDirectory, isPrepared, type MountableOptions } from '../layer/mountable.ts';
import { probeForms } from '../layer/probe-forms.ts';
import { stackTree } from '../layer/stack.ts';
import { readAbilities } from '../runtime/abilities.ts';
import { CGROUPS, cgroupMounts, createCgroup, openCgroupRoots } from '../runtime/cgroup.ts';
import { createRunc } from '../runtime/runc.ts';
import type { Snapshot } from '../snapshot/snapshotter.ts';
import { openStore, type Store } from '../store/store.ts';
import { walkTree } from '../tree/select.ts';
import { containerIO } from './container-io.ts';
import type { Session } from './messages.ts';
import type { Workshop } from './run-request.ts';
import { chooseSnapshotter, openSnapshotter, type SnapshotChoice } from './snapshots.ts';
import {
  type CommitTask,
  type Lower,
  type LowerTask,
  prepareLower,
  type TopTask,
} from './tasks.ts';

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
  hideCgroups();
  const make = (...parts: string[]): string => {
    mkdirSync(join(...parts));
    return join(...parts);
  };
  const { rootless } = abilities;
  const overlay = {
    directory: make(directory, 'snapshots'),
    trash: join(directory, 'trash'),
    userXattr: rootless,
  };
  const choice: SnapshotChoice =
    session.snapshots === 'copy'
      ? { ...overlay, kind: 'copy' }
      : chooseSnapshotter(overlay, onWarning);
  const temp = make(directory, 'temp');
  const places = { home, rootless, mounts: make(run, 'layers'), temp, onWarning };
  const mountable = { ...places, forms: session.forms ?? probeForms(places) };
  const files =
    choice.kind === 'overlay'
      ? { snapshots: openSnapshotter(choice), lowersOf: mountedLowers(workers, mountable) }
      : copiedLowers(choice, mountable);
  const keep = (snapshot: Snapshot, layer: Layer): void => {
    const upper = mountable.forms[0] === 'directory' ? files.snapshots.take(snapshot) : undefined;
    if (upper !== undefined) adoptDirectory(layer, upper, mountable);
  };
  return {
    ...files,
    bundles: make(run, 'bundles'),
    abilities,
    runtime: createRunc({
      file: findRunc(searchPath),
      state: make(run, 'runc'),
      env: { PATH: searchPath },
    }),
    wake: () => {
      workers.run('executor.wake', undefined).catch(() => {});
    },
    commit: commitWith(workers, choice, openStore(home, { temp }), keep),
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

/** Bytes of a layer that holds a few files at most, or one that can be copied in no time. */
const SMALL = 1 << 20;

/** A layer is prepared once, whoever asks for it; so is what a stack of them needs on top. */
function mountedLowers(
  workers: Workers,
  { onWarning, ...options }: MountableOptions & { readonly temp: string },
): Workshop['lowersOf'] {
  const { temp, rootless } = options;
  const prepare = once(async (layer: Layer) => {
    const task: LowerTask = { layer, options };
    // What is there, or quickly made, is not worth a thread.
    if (layer.size < SMALL || isPrepared(layer, options)) return prepareLower(task, onWarning);
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

/** `keep` is given what was written, if it is just what the layer holds: it need not be unpacked for the next step. */
function commitWith(
  workers: Workers,
  snapshots: SnapshotChoice,
  store: Store,
  keep: (snapshot: Snapshot, layer: Layer) => void,
): Workshop['commit'] {
  return async (snapshot, parents, { sourceDateEpoch, signal }) => {
    const directory = store.tempDir();
    const options = { directory, ...(sourceDateEpoch === undefined ? {} : { sourceDateEpoch }) };
    const task: CommitTask = { snapshots, snapshot, parents, options };
    try {
      const written = await workers.run('executor.commit', task, { signal });
      if (written === undefined) return undefined;
      const layer = adoptLayer(store, written as WrittenLayer);
      // With SOURCE_DATE_EPOCH, the layer has other times.
      if (sourceDateEpoch === undefined) keep(snapshot, layer);
      return layer;
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
 * Containers get no cgroup of their own, see runtime/runtime.ts. runc makes one where it can, finds the hierarchies wherever they
 * are mounted, and fails if none is. So it shall see one that nobody can write to: that of version 2, which every
 * kernel has. Flags of a mount of its own, since those of the filesystem would be everybody's.
 */
function hideCgroups(): void {
  for (const point of cgroupMounts().reverse()) tryTo(() => umount(point, MNT_DETACH));
  const flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  tryTo(() => mount('cgroup2', CGROUPS, 'cgroup2', flags));
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

function findRunc(searchPath: string): string {
  const file = findExecutable('runc', searchPath);
  if (file !== undefined) return file;
  throw new TsbuildError('UNSUPPORTED_HOST', 'run a container: there is no runc', {
    hint: 'install runc, for instance with: apt-get install runc',
  });
}
