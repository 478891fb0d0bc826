/** The lines of the live part, for the height and width that there is. */
import { formatBytes, formatSeconds, plural } from './format.ts';
import { fitText, textWidth } from './text-width.ts';
import { type Model, paint, type RunningStep, type Transfer } from './tty-model.ts';

/** At most `rows` lines. Every running step comes first; what space is left shows transfers and output. */
export function liveLines(model: Model, now: number, width: number, rows: number): string[] {
  const steps = [...model.running.values()];
  const shown = steps.slice(0, Math.max(1, rows - 1));
  let left = rows - shown.length - (steps.length > shown.length ? 1 : 0);
  const lines: string[] = [];
  for (const step of shown) {
    lines.push(stepLine(model, step, now, width));
    const details = [
      ...[...step.transfers.values()].map((transfer) => transferLine(transfer, now, width)),
      ...step.tail.map((line) => `    ${line}\x1b[0m`),
    ];
    const fits = details.slice(Math.max(0, details.length - left));
    lines.push(...(left > 0 ? fits : []));
    left -= Math.min(left, fits.length);
  }
  if (steps.length > shown.length) lines.push(`  … and ${steps.length - shown.length} more`);
  return lines;
}

function stepLine(model: Model, step: RunningStep, now: number, width: number): string {
  const timer = formatSeconds((now - step.since) / 1000);
  const name = fitText(step.name, width - textWidth(timer) - 4);
  return `${paint(model, 33, '▸')} ${name}  ${paint(model, 2, timer)}`;
}

const BAR_WIDTH = 20;

/** `    sha256:12ab…  [#####     ] 12.0 MB of 45.0 MB, 6.1 MB/s` */
function transferLine(transfer: Transfer, now: number, width: number): string {
  const { current, total, unit } = transfer;
  const format = unit === 'bytes' ? formatBytes : (count: number) => plural(count, 'file');
  const item = transfer.item.replace(/^(sha256:[0-9a-f]{12})[0-9a-f]{52}$/, '$1');
  const bar = total !== undefined && total > 0 && width >= 70 ? `${drawBar(current / total)} ` : '';
  const amount = total === undefined ? format(current) : `${format(current)} of ${format(total)}`;
  const seconds = (now - transfer.since) / 1000;
  const rate = seconds >= 0.5 && unit === 'bytes' ? `, ${formatBytes(current / seconds)}/s` : '';
  return `    ${item}  ${bar}${amount}${rate}`;
}

function drawBar(part: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, part)) * BAR_WIDTH);
  return `[${'█'.repeat(filled)}${' '.repeat(BAR_WIDTH - filled)}]`;
}
