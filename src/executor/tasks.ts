/**
 * What the executor leaves to worker threads, so that it keeps listening: unpacking a layer, and making one of what a
 * container changed, can each take seconds.
 */
import type { Tasks } from '../host/workers.ts';
import { type DiffOptions, writeChanges } from '../layer/diff.ts';
import { readIndex } from '../layer/index-file.ts';
import type { Layer, LayerView } from '../layer/layer.ts';
import { type MountableOptions, prepareMountable } from '../layer/mountable.ts';
import type { Snapshot } from '../snapshot/snapshotter.ts';
import { openSnapshotter, type SnapshotChoice } from './snapshots.ts';

export interface LowerTask {
  readonly layer: Layer;
  readonly options: Omit<MountableOptions, 'onWarning'>;
}

export interface CommitTask {
  readonly snapshots: SnapshotChoice;
  readonly snapshot: Snapshot;
  readonly parents: readonly Layer[];
  readonly options: DiffOptions;
}

/** The tasks of one thread, which remembers the indexes that it has read: the next step stands on the same layers. */
export function executorTasks() {
  const views = new Map<string, LayerView>();
  const read = (layer: Layer): LayerView => {
    const view = views.get(layer.diffID) ?? readIndex(layer);
    views.set(layer.diffID, view);
    return view;
  };
  return {
    /** Does nothing: the thread has started when it is done. */
    'executor.wake': () => {},
    /** {@link LowerTask} to `Mountable`; reports warnings. */
    'executor.lower': ({ layer, options }: LowerTask, { report }) =>
      prepareMountable(layer, { ...options, onWarning: report }),
    /** {@link CommitTask} to `WrittenLayer`, or `undefined` if nothing changed. */
    'executor.commit': ({ snapshots, snapshot, parents, options }: CommitTask) =>
      writeChanges(openSnapshotter(snapshots).changes(snapshot), parents, options, read),
  } satisfies Tasks;
}
