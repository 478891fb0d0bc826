/** Puts together what requests are run with: mounts of this process's own, the snapshotter, the runtime. */
import { mkdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { PidNamespace } from '../host/pid-namespace.ts';
import { spreadDirectories } from '../host/spread-directories.ts';
import { MNT_DETACH, umount } from '../host/syscalls.ts';
import type { Workers } from '../host/workers.ts';
import { adoptLayer } from '../layer/adopt.ts';
import type { Layer, WrittenLayer } from '../layer/layer.ts';
import { adoptDirectory, type MountForm } from '../layer/mountable.ts';
import { probeForms } from '../layer/probe-forms.ts';
import { readAbilities } from '../runtime/abilities.ts';
import { createCgroup, openCgroupRoots } from '../runtime/cgroup.ts';
import { chooseRuntime, type RuntimeChoice } from '../runtime/choose-runtime.ts';
import { createCrun } from '../runtime/crun.ts';
import { createRunc } from '../runtime/runc.ts';
import type { Snapshot, Snapshotter } from '../snapshot/snapshotter.ts';
import { openStore, type Store } from '../store/store.ts';
import type { StandardStreams } from './container-io.ts';
import { helpEarly } from './early-help.ts';
import { mountCircumstances, remembered } from './host-facts.ts';
import { copiedLowers, mountedLowers } from './lowers.ts';
import type { Session } from './messages.ts';
import { hideCgroups, mountPrivate, shareMounts } from './own-mounts.ts';
import type { ContainerRuntime, Workshop } from './run-request.ts';
import { keptFilters } from './seccomp-filters.ts';
import { openSnapshotter, overlayWorks, type SnapshotChoice } from './snapshots.ts';
import { type CommitTask, EXPECT_TASK, type ExecutorTasks, executorTasks } from './tasks.ts';

/** What an executor has of the process that it runs in. */
export interface Surroundings {
  readonly workers: Workers;
  readonly streams: StandardStreams;
  /** Where containers are to be born, if not in the namespace of the process. */
  readonly pidNamespace?: () => Promise<PidNamespace>;
}

export interface OpenWorkshop extends Workshop, Disposable {}

/** Disposing of it drops its mounts, also those that are in use. */
export function openWorkshop(
  session: Session,
  surroundings: Surroundings,
  onWarning: (message: string) => void,
): OpenWorkshop {
  const { workers, streams } = surroundings;
  const { home, directory } = session;
  const abilities = readAbilities();
  const run = join(directory, 'run');
  mountPrivate(run);
  const cgroups = openCgroupRoots();
  const make = (...parts: string[]): string => {
    mkdirSync(join(...parts));
    return join(...parts);
  };
  hideCgroups(make(run, 'cgroup'));
  const { rootless } = abilities;
  const roots = join(run, 'roots');
  shareMounts(roots);
  const overlay = {
    directory: make(directory, 'snapshots'),
    trash: join(directory, 'trash'),
    roots,
    userXattr: rootless,
  };
  const temp = make(directory, 'temp');
  spreadDirectories(overlay.directory);
  const places = { home, rootless, mounts: make(run, 'layers'), temp, onWarning };
  const circumstances = mountCircumstances(home);
  const fact = (name: string, find: () => string | undefined): string | undefined =>
    remembered(join(home, 'host', name), circumstances, find);
  const overlayOrNot = () => (overlayWorks(overlay, onWarning) ? 'overlay' : undefined);
  const isCopied = session.snapshots === 'copy' || fact('snapshots', overlayOrNot) === undefined;
  const choice: SnapshotChoice = { ...overlay, kind: isCopied ? 'copy' : 'overlay' };
  const formNames = () => fact('forms', () => probeForms(places).join())!.split(',') as MountForm[];
  const mountable = { ...places, forms: session.forms ?? formNames() };
  const own = executorTasks(() => workers);
  const files =
    choice.kind === 'overlay'
      ? { snapshots: openSnapshotter(choice), lowersOf: mountedLowers(workers, own, mountable) }
      : copiedLowers(choice, mountable);
  const keep = (snapshot: Snapshot, layer: Layer): void => {
    const upper = files.snapshots.take(snapshot);
    if (upper !== undefined) adoptDirectory(layer, upper, mountable);
  };
  const kept = mountable.forms[0] === 'directory' ? { keep } : {};
  const ahead = choice.kind === 'overlay';
  const runtimes = openRuntimes(session, surroundings, { directory: run, ahead });
  return {
    ...files,
    files: make(run, 'files'),
    abilities,
    runtimeFor: runtimes.runtimeFor,
    commit: commitWith(workers, own, {
      store: openStore(home, { temp }),
      choice,
      ...kept,
      ...files,
    }),
    expectCommit: (snapshot, parents) =>
      helpEarly(
        () => isMuch(files.snapshots, snapshot),
        // What fails here, fails with the commit, too, and is told there.
        () => void workers.run(EXPECT_TASK, parents).catch(() => {}),
      ),
    streams,
    searchPath: session.searchPath,
    cgroupOf: ({ cgroupParent }, key) =>
      cgroupParent
        ? createCgroup(cgroups, cgroupParent, `${basename(directory)}-${key}`)
        : undefined,
    [Symbol.dispose]: () => {
      runtimes[Symbol.dispose]();
      umount(run, MNT_DETACH);
    },
  };
}

/** Of a snapshot that is being written to. */
function isMuch(snapshots: Snapshotter, snapshot: Snapshot): boolean {
  try {
    return snapshots.smallChanges(snapshot) === undefined;
  } catch {
    // What was listed is gone: nothing is known yet.
    return false;
  }
}

interface CommitContext {
  readonly store: Store;
  readonly choice: SnapshotChoice;
  readonly snapshots: Snapshotter;
  /** Is given what was written, if it is just what the layer holds: it need not be unpacked for the next step. */
  readonly keep?: (snapshot: Snapshot, layer: Layer) => void;
}

/** Little is committed here and now; much, in a thread. */
function commitWith(
  workers: Workers,
  own: ExecutorTasks,
  context: CommitContext,
): Workshop['commit'] {
  const { store, choice, snapshots, keep } = context;
  const commitMuch = async (task: CommitTask, signal: AbortSignal) => {
    const written = workers.run('executor.commit', task, { signal });
    written.catch(() => {});
    // It takes its time, and as long as it is mounted the kernel keeps what is removed.
    snapshots.take(task.snapshot);
    return (await written) as WrittenLayer | undefined;
  };
  return async (snapshot, parents, { sourceDateEpoch, signal }) => {
    const directory = store.tempDir();
    const options = { directory, ...(sourceDateEpoch === undefined ? {} : { sourceDateEpoch }) };
    const consume = keep === undefined;
    const task: CommitTask = { snapshots: choice, snapshot, parents, options, consume };
    try {
      const changes = snapshots.smallChanges(snapshot);
      const written = changes
        ? await own['executor.commit']({ ...task, changes })
        : await commitMuch(task, signal);
      if (written === undefined) return undefined;
      const layer = adoptLayer(store, written);
      // With SOURCE_DATE_EPOCH, the layer has other times.
      if (sourceDateEpoch === undefined) keep?.(snapshot, layer);
      return layer;
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  };
}

interface RuntimePlaces {
  /** In memory. */
  readonly directory: string;
  /** Whether root filesystems appear in the namespaces of processes that are started ahead, see `shareMounts`. */
  readonly ahead: boolean;
}

/** @throws TsbuildError `USAGE`, `UNSUPPORTED_HOST` */
function openRuntimes(
  { home, searchPath, runtime: wanted }: Session,
  { pidNamespace }: Surroundings,
  { directory, ahead }: RuntimePlaces,
): Pick<Workshop, 'runtimeFor'> & Disposable {
  const open = ({ name, file }: RuntimeChoice): ContainerRuntime => {
    const state = join(directory, name);
    mkdirSync(state);
    const options = { file, state, env: { PATH: searchPath }, pidNamespace, ahead };
    return name === 'runc'
      ? { ...createRunc(options), traits: {} }
      : {
          ...createCrun(options),
          traits: { filterOf: keptFilters(home, directory), dropsRootFlags: true },
        };
  };
  const choice = chooseRuntime(searchPath, wanted);
  const usual = open(choice);
  const other = chooseRuntime(searchPath, wanted, { terminal: true });
  const forTerminals = other.name === choice.name ? usual : open(other);
  return {
    runtimeFor: ({ terminal }) => (terminal ? forTerminals : usual),
    [Symbol.dispose]: () => {
      for (const runtime of new Set([usual, forTerminals])) runtime[Symbol.dispose]();
    },
  };
}
