/** `prune` and `diskUsage` of the API: what the store may forget, and what it holds. */
import { openEnvironment } from './environment.ts';
import type { UsageRow } from './image/usage.ts';
import type { HostOptions } from './options.ts';

export interface PruneOptions extends HostOptions {
  /**
   * Also the whole build cache, with cache mounts, downloads, and what is known of contexts. Without it, cached steps and
   * downloads go that were not used for 7 days.
   */
  readonly all?: boolean;
  /** Milliseconds: only what was not made or used for so long. Cache mounts, of which that is not known, then stay. */
  readonly olderThan?: number;
  /** Bytes that the build cache may keep; the steps used last stay. */
  readonly keepBytes?: number;
}

export interface PruneResult {
  /** Bytes. */
  readonly reclaimed: number;
  /** Paths that could not be removed. */
  readonly left: readonly string[];
}

export type DiskUsage = UsageRow;

/**
 * Removes images without a name and what neither an image nor the cache needs. What could not be removed is in the
 * result, and is tried again the next time. @throws TsbuildError `CONFLICT` while the store is in use
 */
export async function prune(options: PruneOptions = {}): Promise<PruneResult> {
  const { pruneStore } = await import('./store-space.ts');
  await using environment = openEnvironment(options, () => {});
  return await pruneStore(environment, options);
}

/** By kind; nothing is counted twice. */
export async function diskUsage(options: HostOptions = {}): Promise<readonly DiskUsage[]> {
  const { measureStore } = await import('./store-space.ts');
  await using environment = openEnvironment(options, () => {});
  return measureStore(environment.store);
}
