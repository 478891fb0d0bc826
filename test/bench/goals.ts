/** What was aimed at, and whether it was reached. */
import { type Summary, summarize } from './statistics.ts';

export interface Goal {
  /** Time at most this much of the best peer's. */
  readonly ratio?: number;
  /** Time in seconds at most. */
  readonly seconds?: number;
  /** Bytes sent at most this many per cent more than docker's. */
  readonly sizePercent?: number;
}

export const MEMORY_GOAL = 200 * 1024 * 1024;

export interface ToolResult {
  readonly tool: string;
  readonly seconds: readonly number[];
  readonly peakRss: readonly number[];
  /** Compressed layers that were sent, in bytes. */
  readonly sentBytes?: readonly number[];
  readonly failure?: string;
}

export interface WorkloadResult {
  readonly name: string;
  readonly title: string;
  readonly goal: Goal;
  readonly results: readonly ToolResult[];
}

export interface Verdict {
  /** Time of tsbuild over the best peer's. */
  readonly ratio: number | undefined;
  readonly best: string | undefined;
  /** Bytes sent over docker's. */
  readonly sizeRatio: number | undefined;
  /** `undefined` where there is nothing to compare with. */
  readonly timeMet: boolean | undefined;
  readonly memoryMet: boolean | undefined;
  readonly sizeMet: boolean | undefined;
}

export function judge({ goal, results }: WorkloadResult): Verdict {
  const ours = results.find((result) => result.tool === 'tsbuild');
  const time = summarize(ours?.seconds ?? [])?.median;
  const peers = results
    .filter((result) => result.tool !== 'tsbuild')
    .map((result) => ({ tool: result.tool, summary: summarize(result.seconds) }))
    .filter((peer): peer is { tool: string; summary: Summary } => peer.summary !== undefined)
    .sort((a, b) => a.summary.median - b.summary.median);
  const ratio = divide(time, peers[0]?.summary.median);
  const docker = results.find((result) => result.tool === 'docker');
  const sizeRatio = divide(
    summarize(ours?.sentBytes ?? [])?.median,
    summarize(docker?.sentBytes ?? [])?.median,
  );
  return {
    ratio,
    best: peers[0]?.tool,
    sizeRatio,
    timeMet: goal.seconds === undefined ? atMost(ratio, goal.ratio) : atMost(time, goal.seconds),
    memoryMet: memoryMet(results),
    sizeMet: atMost(
      sizeRatio,
      goal.sizePercent === undefined ? undefined : 1 + goal.sizePercent / 100,
    ),
  };
}

/** The highest of any round: memory has no noise to take the middle of. */
export function peakOf(result: ToolResult | undefined): number | undefined {
  return result === undefined ? undefined : summarize(result.peakRss)?.max;
}

function memoryMet(results: readonly ToolResult[]): boolean | undefined {
  const ours = peakOf(results.find((result) => result.tool === 'tsbuild'));
  if (ours === undefined) return undefined;
  const peers = results.filter((result) => result.tool !== 'tsbuild').map(peakOf);
  return ours <= MEMORY_GOAL && peers.every((peer) => peer === undefined || ours < peer);
}

function divide(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a / b;
}

function atMost(value: number | undefined, limit: number | undefined): boolean | undefined {
  return value === undefined || limit === undefined ? undefined : value <= limit;
}
