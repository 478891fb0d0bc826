/** What the summary counts. */
import type { BuildEventOf, StepInfo, StepKind } from '../events.ts';

export interface Counts {
  total: number;
  cached: number;
  warnings: number;
}

/** Kinds that a cache could have answered; images, contexts and transfers are no work of the build. */
const CACHEABLE: readonly StepKind[] = ['run', 'copy', 'config'];

export function countStep(
  counts: Counts,
  step: StepInfo | undefined,
  event: BuildEventOf<'step.end'>,
): void {
  if (step !== undefined && !CACHEABLE.includes(step.kind)) return;
  counts.total += 1;
  if (event.outcome === 'cached') counts.cached += 1;
}
