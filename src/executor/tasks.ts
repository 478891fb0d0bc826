/**
 * What the executor leaves to worker threads, so that it keeps listening: unpacking a layer, and making one of what a
 * container changed, can each take seconds.
 */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { Tasks, Workers } from '../host/workers.ts';
import { applyLayer } from '../layer/apply.ts';
import { type DiffOptions, diffChanges } from '../layer/diff.ts';
import { FILL_TASK, fillPart, type TarPart } from '../layer/fill-part.ts';
import { hasMarks, indexReader } from '../layer/index-file.ts';
import type { Layer, LayerInput } from '../layer/layer.ts';
import { type Mountable, type MountableOptions, prepareMountable } from '../layer/mountable.ts';
import { overlayTop, stackTree } from '../layer/stack.ts';
import { writeLayer } from '../layer/write.ts';
import { writeLayerParts } from '../layer/write-parts.ts';
import type { Changes, Snapshot } from '../snapshot/snapshotter.ts';
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
  /** Of the snapshot, if they are known. */
  readonly changes?: Changes | undefined;
  readonly parents: readonly Layer[];
  readonly options: DiffOptions;
  /** Whether what was changed may be removed while it is read; some may remain. */
  readonly consume: boolean;
}

export function prepareLower(
  { layer, options }: LowerTask,
  onWarning: ((message: string) => void) | undefined,
): Lower {
  return { ...prepareMountable(layer, { ...options, onWarning }), hasMarks: hasMarks(layer) };
}

/** Bytes of files from which on it is worth a detour that they are read by others. */
const LARGE = 16 << 20;

export const EXPECT_TASK = 'executor.expect';

/**
 * The tasks of one thread, which remembers the indexes that it has read: the next step stands on the same layers. It
 * writes large layers with the help of `fillers`.
 */
export function executorTasks(fillers: () => Workers) {
  const read = indexReader();
  return {
    [FILL_TASK]: (part: TarPart) => fillPart(part),
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
    /** Gets ready for the commit of something large upon these layers. */
    [EXPECT_TASK]: (parents: readonly Layer[]): void => {
      fillers().warm();
      stackTree(parents, read);
    },
    /** {@link CommitTask} to `WrittenLayer`, or `undefined` if nothing changed. */
    'executor.commit': async (task: CommitTask) => {
      const { snapshots, snapshot, parents, options, consume } = task;
      const changes = task.changes ?? openSnapshotter(snapshots).changes(snapshot);
      const inputs = diffChanges(changes, stackTree(parents, read), options.sourceDateEpoch);
      if (inputs.length === 0) return undefined;
      if (bytesOf(inputs) < LARGE) return writeLayer(inputs, options);
      const parts = { ...options, consume, workers: fillers(), signal: NEVER };
      return await writeLayerParts(inputs, parts);
    },
  } satisfies Tasks;
}

export type ExecutorTasks = ReturnType<typeof executorTasks>;

function bytesOf(inputs: readonly LayerInput[]): number {
  return inputs.reduce((sum, input) => sum + ('node' in input ? input.node.size : 0), 0);
}

/** A thread that is to stop is ended, and its own threads with it. */
const NEVER = new AbortController().signal;
