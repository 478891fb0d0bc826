/** The results as people read them: tables in Markdown, which the README takes as they are. */

import { type Goal, judge, peakOf, type ToolResult, type WorkloadResult } from './goals.ts';
import type { GrowthResult } from './growth.ts';
import { slope } from './growth.ts';
import { summarize } from './statistics.ts';

export function workloadTable(
  results: readonly WorkloadResult[],
  tools: readonly string[],
): string {
  const head = [
    'workload',
    ...tools,
    'ratio',
    'goal',
    'met',
    `peak RSS, MiB (${tools.join(' / ')})`,
    'met',
  ];
  return table(
    head,
    results.map((result) => workloadRow(result, tools)),
  );
}

function workloadRow(result: WorkloadResult, tools: readonly string[]): string[] {
  const { goal, results, title } = result;
  const verdict = judge(result);
  const of = (tool: string) => results.find((each) => each.tool === tool);
  const size =
    goal.sizePercent === undefined || verdict.sizeRatio === undefined
      ? ''
      : `, size ${percent(verdict.sizeRatio - 1)}`;
  return [
    title,
    ...tools.map((tool) => timeCell(of(tool))),
    `${verdict.ratio === undefined ? '–' : verdict.ratio.toFixed(2)}${size}`,
    goalText(goal),
    both(verdict.timeMet, goal.sizePercent === undefined ? true : verdict.sizeMet),
    tools.map((tool) => mebibytes(peakOf(of(tool)))).join(' / '),
    mark(verdict.memoryMet),
  ];
}

export function growthTable({ unit, points }: GrowthResult): string {
  const rows = points.map((point, at) => {
    const before = points[at - 1];
    const factor = (of: 'cold' | 'warm') => {
      const value = before && slope(before, point, of);
      return value === undefined ? '' : ` (×${value.toFixed(2)})`;
    };
    if (point.failure !== undefined && point.cold === undefined) {
      return [`${point.size} ${unit}`, 'failed', 'failed', '–'];
    }
    return [
      `${point.size} ${unit}`,
      `${seconds(point.cold)}${factor('cold')}`,
      `${seconds(point.warm)}${factor('warm')}`,
      mebibytes(point.peakRss),
    ];
  });
  return table(
    ['work', 'no cache (per unit)', 'nothing changed (per unit)', 'peak RSS, MiB'],
    rows,
  );
}

/** Why there is no number where there is none. */
export function failures(results: readonly WorkloadResult[]): string {
  return results
    .flatMap(({ name, results: each }) =>
      each.flatMap(({ tool, failure }) => (failure ? [`${name}, ${tool}: ${failure}\n`] : [])),
    )
    .join('\n');
}

export function goalText(goal: Goal): string {
  const time = goal.seconds === undefined ? `≤ ${goal.ratio}` : `≤ ${goal.seconds} s`;
  return goal.sizePercent === undefined ? time : `${time}, size +${goal.sizePercent} %`;
}

function timeCell(result: ToolResult | undefined): string {
  const summary = summarize(result?.seconds ?? []);
  if (summary === undefined) return result?.failure === undefined ? '–' : 'failed';
  const { median, min, max } = summary;
  return `${seconds(median)} (${seconds(min, '')}–${seconds(max, '')})`;
}

function seconds(value: number | undefined, unit = ' s'): string {
  if (value === undefined) return '–';
  return `${value.toFixed(value < 1 ? 3 : 2)}${unit}`;
}

function mebibytes(bytes: number | undefined): string {
  return bytes === undefined ? '–' : String(Math.round(bytes / (1 << 20)));
}

function percent(fraction: number): string {
  return `${fraction < 0 ? '−' : '+'}${Math.abs(fraction * 100).toFixed(1)} %`;
}

function both(a: boolean | undefined, b: boolean | undefined): string {
  if (a === false || b === false) return mark(false);
  return mark(a === undefined || b === undefined ? undefined : true);
}

function mark(met: boolean | undefined): string {
  return met === undefined ? '–' : met ? 'yes' : 'NO';
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, at) =>
    Math.max(cell.length, ...rows.map((row) => row[at]!.length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at]!)).join(' | ')} |\n`;
  return line(head) + line(widths.map((width) => '-'.repeat(width))) + rows.map(line).join('');
}
