/** `prune` and `diskUsage` of the API: what the store may forget, and what it holds. */
import { TsbuildError } from './errors.ts';
import type { HostOptions } from './options.ts';

export interface PruneOptions extends HostOptions {
  /** Also every cache record. */
  readonly all?: boolean;
}

export interface PruneResult {
  /** Bytes. */
  readonly reclaimed: number;
}

export interface DiskUsage {
  readonly type: string;
  readonly count: number;
  /** Bytes. */
  readonly size: number;
  readonly reclaimable: number;
}

export async function prune(_options: PruneOptions = {}): Promise<PruneResult> {
  throw new TsbuildError('INTERNAL', 'prune');
}

export async function diskUsage(_options: HostOptions = {}): Promise<readonly DiskUsage[]> {
  throw new TsbuildError('INTERNAL', 'disk usage');
}
