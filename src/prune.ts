/** `prune` and `diskUsage` of the API: what the store may forget, and what it holds. */
import { defaultHome } from './environment.ts';
import type { HostOptions } from './options.ts';
import type { DiskUsage, PruneResult } from './store-space.ts';

export type { DiskUsage, PruneResult };

export interface PruneOptions extends HostOptions {
  /** Also what only the build cache needs. */
  readonly all?: boolean;
}

/**
 * Removes images without a name and what neither an image nor the cache needs. What could not be removed is in the
 * result, and is tried again the next time. @throws TsbuildError `CONFLICT` while the store is in use
 */
export async function prune(options: PruneOptions = {}): Promise<PruneResult> {
  const { pruneStore } = await import('./store-space.ts');
  const env = options.env ?? process.env;
  return pruneStore(options.home ?? defaultHome(env), env.PATH, options.all ?? false);
}

/** By kind; nothing is counted twice. */
export async function diskUsage(options: HostOptions = {}): Promise<readonly DiskUsage[]> {
  const { measureStore } = await import('./store-space.ts');
  return measureStore(options.home ?? defaultHome(options.env ?? process.env));
}
