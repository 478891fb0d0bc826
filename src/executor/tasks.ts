/**
 * What the executor leaves to worker threads, so that it keeps listening: unpacking a layer, and making one of what a
 * container changed, can each take seconds.
 */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { Tasks } from '../host/workers.ts';
import { applyLayer } from '../layer/apply.ts';
import { type DiffOptions, writeChanges } from '../layer/diff.ts';
import { hasMarks, indexReader } from '../layer/index-file.ts';
import type { Layer } from '../layer/layer.ts';
import { type Mountable, type MountableOptions, prepareMountable } from '../layer/mountable.ts';
import { overlayTop } from '../layer/stack.ts';
import type { Snapshot } from '../snapshot/snapshotter.ts';
import { openSnapshotter, type SnapshotChoice } from './snapshots.ts';

export interface LowerTask {
  readonly layer: Layer;
  readonly options: Omit<MountableOptions, 'onWarning'>;
}

export interface Lower extends Mountable {
  /** Whether the layer may need something on top of it, see `overlayTop`. */
  readonly hasMarks: boolean;
}

export interface TopTask {
  readonly layers: readonly Layer[];
  /** Where a directory may be made. */
  readonly temp: string;
  readonly rootless: boolean;
}

export interface CommitTask {
  readonly snapshots: SnapshotChoice;
  readonly snapshot: Snapshot;
  readonly parents: readonly Layer[];
  readonly options: DiffOptions;
}

export function prepareLower(
  { layer, options }: LowerTask,
  onWarning: ((message: string) => void) | undefined,
): Lower {
  return { ...prepareMountable(layer, { ...options, onWarning }), hasMarks: hasMarks(layer) };
}

/** The tasks of one thread, which remembers the indexes that it has read: the next step stands on the same layers. */
export function executorTasks() {
  const read = indexReader();
  return {
    /** Does nothing: the thread has started when it is done. */
    'executor.wake': () => {},
    /** {@link LowerTask} to {@link Lower}; reports warnings. */
    'executor.lower': (task: LowerTask, { report }): Lower => prepareLower(task, report),
    /**
     * {@link TopTask} to a directory that is to be the uppermost lower, see `overlayTop`; `undefined` if none is
     * needed.
     */
    'executor.top': ({ layers, temp, rootless }: TopTask): string | undefined => {
      const index = overlayTop(layers, read);
      if (index.entries.size === 0) return undefined;
      const directory = mkdtempSync(join(temp, 'top-'));
      applyLayer(index, directory, { rootless });
      return directory;
    },
    /** {@link CommitTask} to `WrittenLayer`, or `undefined` if nothing changed. */
    'executor.commit': ({ snapshots, snapshot, parents, options }: CommitTask) =>
      writeChanges(openSnapshotter(snapshots).changes(snapshot), parents, options, read),
  } satisfies Tasks;
}
