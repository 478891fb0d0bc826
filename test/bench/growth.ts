/** How the time and the memory of tsbuild grow with the work: the time no faster than the work, the memory not at all. */
import { rmSync } from 'node:fs';
import { type Bench, ensureContext, runWorkload } from './bench.ts';
import { type Context, largeFiles, project, smallFiles } from './contexts.ts';
import { peakOf } from './goals.ts';
import { summarize } from './statistics.ts';
import type { Tool } from './tools/tool.ts';
import { COPY_DATA_AND_RUN, COPY_TREE_AND_RUN, manySteps } from './workloads/dockerfiles.ts';
import { buildRound, newLayerRound, type Scene } from './workloads/workload.ts';

export interface Series {
  readonly name: string;
  readonly unit: string;
  readonly sizes: readonly number[];
  /** Added by `--full`. */
  readonly more: readonly number[];
  context(size: number): Context;
  /** Directory of the context whose layer is to be written anew in each build without cache. */
  readonly copied?: string;
}

export interface GrowthPoint {
  readonly size: number;
  /** Seconds without cache, and when nothing changed. */
  readonly cold: number | undefined;
  readonly warm: number | undefined;
  /** Bytes, the higher of both. */
  readonly peakRss: number | undefined;
  readonly failure?: string;
}

export interface GrowthResult {
  readonly name: string;
  readonly unit: string;
  readonly points: readonly GrowthPoint[];
}

export const SERIES: readonly Series[] = [
  {
    name: 'steps',
    unit: 'steps',
    sizes: [10, 100, 500],
    more: [],
    context: (size) => ({
      name: `growth-steps-${size}`,
      dockerfile: manySteps(size),
      files: project(200),
    }),
  },
  {
    name: 'files',
    unit: 'files',
    sizes: [1_000, 10_000, 100_000],
    more: [500_000],
    context: (size) => ({
      name: `growth-files-${size}`,
      dockerfile: COPY_TREE_AND_RUN,
      files: smallFiles(size),
    }),
    copied: 'tree',
  },
  {
    name: 'layer',
    unit: 'MB',
    sizes: [10, 100, 1_000],
    more: [10_000],
    context: (size) => ({
      name: `growth-layer-${size}`,
      dockerfile: COPY_DATA_AND_RUN,
      files: largeFiles(size),
    }),
    copied: 'data',
  },
];

export async function runSeries(
  bench: Bench,
  series: Series,
  tool: Tool,
  options: { readonly rounds: number; readonly full: boolean },
): Promise<GrowthResult> {
  const { name, unit, sizes, more } = series;
  const points: GrowthPoint[] = [];
  for (const size of options.full ? [...sizes, ...more] : sizes) {
    points.push(await measurePoint(bench, series, size, tool, options.rounds));
  }
  return { name, unit, points };
}

async function measurePoint(
  bench: Bench,
  series: Series,
  size: number,
  tool: Tool,
  rounds: number,
): Promise<GrowthPoint> {
  const context = series.context(size);
  const { copied } = series;
  const withoutCache = (scene: Scene) =>
    copied === undefined ? buildRound(scene, { noCache: true }) : newLayerRound(scene, copied);
  const results = [];
  for (const [how, round] of [
    ['cold', withoutCache],
    ['warm', (scene: Scene) => buildRound(scene)],
  ] as const) {
    const workload = {
      name: `${context.name}-${how}`,
      title: '',
      goal: {},
      base: 'busybox' as const,
      context,
      round,
    };
    const { results: each } = await runWorkload(bench, workload, [tool], rounds);
    results.push(each[0]!);
  }
  // The next is larger.
  rmSync(ensureContext(bench, context, tool), { recursive: true, force: true });
  const [cold, warm] = results as [(typeof results)[0], (typeof results)[0]];
  const failure = cold.failure ?? warm.failure;
  return {
    size,
    cold: summarize(cold.seconds)?.median,
    warm: summarize(warm.seconds)?.median,
    peakRss: maximum([peakOf(cold), peakOf(warm)]),
    ...(failure === undefined ? {} : { failure }),
  };
}

/** How many times as much as the point before, over how many times the work: 1 is linear. */
export function slope(before: GrowthPoint, after: GrowthPoint, of: 'cold' | 'warm') {
  const [a, b] = [before[of], after[of]];
  return a === undefined || b === undefined ? undefined : b / a / (after.size / before.size);
}

function maximum(values: readonly (number | undefined)[]): number | undefined {
  return summarize(values.filter((value): value is number => value !== undefined))?.max;
}
