/** Layers as the snapshotter of this executor wants them. */
import type { Workers } from '../host/workers.ts';
import { type ApplyOptions, applyLayer } from '../layer/apply.ts';
import type { Layer } from '../layer/layer.ts';
import { isQuicklyPrepared, type MountableOptions } from '../layer/mountable.ts';
import { stackTree } from '../layer/stack.ts';
import { walkTree } from '../tree/select.ts';
import type { Workshop } from './run-request.ts';
import { openSnapshotter, type SnapshotChoice } from './snapshots.ts';
import { type ExecutorTasks, type Lower, type LowerTask, prepareLower } from './tasks.ts';

/** Without mounts, a layer goes by its name, and its files into each snapshot anew. */
export function copiedLowers(
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
export function mountedLowers(
  workers: Workers,
  /** What this thread does itself: it knows most of the indexes that a top depends on. */
  own: Pick<ExecutorTasks, 'executor.top'>,
  { onWarning, ...options }: MountableOptions & { readonly temp: string },
): Workshop['lowersOf'] {
  const { temp, rootless } = options;
  const prepare = once(async (layer: Layer) => {
    const task: LowerTask = { layer, options };
    // A thread takes 30 ms to start, and 8 MB.
    if (isQuicklyPrepared(layer, options)) return prepareLower(task, onWarning);
    const onProgress = (message: unknown): void => onWarning?.(String(message));
    return (await workers.run('executor.lower', task, { onProgress })) as Lower;
  });
  const topOf = once(async (layers: readonly Layer[]) =>
    own['executor.top']({ layers, temp, rootless }),
  );
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
