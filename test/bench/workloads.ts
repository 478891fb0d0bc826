/** All that is measured, in the order of the table. */
import { BUILDS } from './workloads/builds.ts';
import { SHIPS } from './workloads/ships.ts';
import type { Workload } from './workloads/workload.ts';

export const WORKLOADS: readonly Workload[] = [...BUILDS, ...SHIPS];
