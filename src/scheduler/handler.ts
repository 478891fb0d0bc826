/**
 * How a kind of step is keyed, and how it is executed: two separate questions. A handler answers the first for every step;
 * the scheduler asks the second only when no record answers.
 */
import type { Recipe } from '../cache/recipe.ts';
import type { Span } from '../events.ts';
import type { Op, Step } from '../graph/step.ts';
import type { Layer } from '../layer/layer.ts';
import type { ChainID } from '../oci/digest.ts';
import type { FileTree } from '../tree/file-tree.ts';

/** A filesystem that a step left behind, bottom layer first. */
export interface StepResult {
  readonly layers: readonly Layer[];
  /** Identity of the files; absent when there are no layers. */
  readonly chain: ChainID | undefined;
  /** The layer that this very step added, if any. */
  readonly own?: Layer;
  /** RFC 3339: when the step ended, in whichever build that was. Absent for images. */
  readonly created?: string;
  /** The files, read lazily from the layers' indexes. */
  readonly tree: FileTree;
}

export interface StepContext<O extends Op> {
  readonly step: Step<O>;
  /** Files the step starts from. */
  readonly parent: StepResult;
  readonly inputs: readonly StepResult[];
  readonly signal: AbortSignal;
  readonly log: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => void;
  /** Tells how long a part of the step took. */
  readonly span: (span: Span) => void;
  readonly progress: (
    item: string,
    current: number,
    total: number | undefined,
    unit: 'bytes' | 'files',
  ) => void;
}

export interface PreparedStep {
  /** What the step's key is made of. Without one it is executed each time, and not recorded. */
  readonly recipe?: Recipe;
  /**
   * Makes the layer that holds what the step changes; `undefined` if it changes nothing. `before` finds the layer that a step
   * like this one made before, if the store has it: it may be what comes out again.
   */
  execute(before: () => Layer | undefined): Promise<Layer | undefined>;
}

export type OpHandler<O extends Op> = (context: StepContext<O>) => Promise<PreparedStep>;

export type OpHandlers = {
  readonly [K in Exclude<Op['type'], 'image'>]: OpHandler<Extract<Op, { type: K }>>;
};
