/** The configuration of the image that a stage ends in: what was planned, and what the steps turned out to be. */
import type { PlannedStage, StepId } from '../graph/step.ts';
import type { HistoryEntry, ImageConfig } from '../oci/config.ts';
import type { StepResult } from './handler.ts';

export interface FinishOptions {
  /** Seconds since 1970: the time of everything, instead of when it was made. */
  readonly sourceDateEpoch?: number;
  /** When the base image was made, for images that add no step to it. RFC 3339. */
  readonly baseCreated?: string;
}

/**
 * A rebuild that was answered from the cache gives the same image to the byte: times are those of the steps, in whichever
 * build they ran, and never of this one.
 */
export function finishImage(
  stage: PlannedStage,
  results: ReadonlyMap<StepId, StepResult>,
  options: FinishOptions,
): ImageConfig {
  const { sourceDateEpoch, baseCreated } = options;
  const epoch = sourceDateEpoch === undefined ? undefined : rfc3339(sourceDateEpoch);
  let created = baseCreated;
  const history = stage.history.map(({ entry, step }): HistoryEntry => {
    const result = step === undefined ? undefined : results.get(step);
    if (result?.created !== undefined && (created === undefined || result.created > created))
      created = result.created;
    const time = epoch && entry.created === undefined ? epoch : (entry.created ?? created);
    const isEmpty = step === undefined ? entry.empty_layer : result?.own === undefined;
    const { empty_layer: _, created: __, ...rest } = entry;
    return {
      ...(time ? { created: time } : {}),
      ...rest,
      ...(isEmpty ? { empty_layer: true } : {}),
    };
  });
  const layers = stage.result === undefined ? [] : (results.get(stage.result)?.layers ?? []);
  const time = epoch ?? created;
  return {
    ...(time ? { created: time } : {}),
    ...stage.config,
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffID) },
    history,
  };
}

/** Seconds since 1970 as the image spec writes times. */
export function rfc3339(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}
