/** What the live display knows: the steps that run, and the lines that are ready to be written for good. */
import type { BuildEvent, BuildEventOf, StepInfo } from '../events.ts';
import { type Counts, countStep } from './counts.ts';
import { formatBytes, formatSeconds } from './format.ts';
import { createLogLines, type LogLines } from './log-lines.ts';
import { summary, warningLine } from './plain.ts';

export interface Transfer {
  readonly item: string;
  readonly unit: 'bytes' | 'files';
  current: number;
  total: number | undefined;
  readonly since: number;
}

export interface RunningStep {
  readonly name: string;
  readonly since: number;
  readonly log: LogLines;
  /** The last complete lines. */
  readonly tail: string[];
  readonly transfers: Map<string, Transfer>;
}

export interface Model {
  readonly steps: Map<string, StepInfo>;
  readonly running: Map<string, RunningStep>;
  /** Lines for good, oldest first; the display takes them out. */
  readonly ended: string[];
  readonly counts: Counts;
  readonly color: boolean;
}

export const TAIL_LINES = 6;

export function createModel(color: boolean): Model {
  return {
    steps: new Map(),
    running: new Map(),
    ended: [],
    counts: { total: 0, cached: 0, warnings: 0 },
    color,
  };
}

export function update(model: Model, event: BuildEvent, now: number): void {
  switch (event.type) {
    case 'plan':
      for (const step of event.steps) model.steps.set(step.id, step);
      break;
    case 'step.start':
      running(model, event.step, now);
      break;
    case 'step.log': {
      const step = running(model, event.step, now);
      step.tail.push(...step.log.push(event.text).slice(-TAIL_LINES));
      step.tail.splice(0, step.tail.length - TAIL_LINES);
      break;
    }
    case 'step.progress':
      updateTransfer(running(model, event.step, now), event, now);
      break;
    case 'step.end':
      end(model, event);
      break;
    case 'warning':
      model.counts.warnings += 1;
      model.ended.push(paint(model, 33, warningLine(event)));
      break;
    case 'result':
      model.ended.push(summary(event, model.counts));
      break;
  }
}

function running(model: Model, id: string, now: number): RunningStep {
  const known = model.running.get(id);
  if (known !== undefined) return known;
  const name = oneLine(model.steps.get(id)?.name ?? id);
  const step = { name, since: now, log: createLogLines(), tail: [], transfers: new Map() };
  model.running.set(id, step);
  return step;
}

function updateTransfer(
  step: RunningStep,
  event: BuildEventOf<'step.progress'>,
  now: number,
): void {
  if (event.done) {
    step.transfers.delete(event.item);
    return;
  }
  const { item, unit, current, total } = event;
  const known = step.transfers.get(item);
  if (known === undefined) step.transfers.set(item, { item, unit, current, total, since: now });
  else Object.assign(known, { current, total });
}

function end(model: Model, event: BuildEventOf<'step.end'>): void {
  const name = model.running.get(event.step)?.name ?? model.steps.get(event.step)?.name;
  model.running.delete(event.step);
  countStep(model.counts, model.steps.get(event.step), event);
  const details = [
    event.outcome === 'cached' ? 'cached' : formatSeconds(event.seconds),
    event.bytes === undefined ? '' : formatBytes(event.bytes),
    event.message ?? '',
    event.missed ?? '',
  ].filter(Boolean);
  const { sign, code } = SIGNS[event.outcome];
  const text = `${sign} ${oneLine(name ?? event.step)}`;
  model.ended.push(`${paint(model, code, text)}  ${paint(model, 2, details.join(', '))}`);
}

const SIGNS = {
  done: { sign: '✔', code: 32 },
  cached: { sign: '✔', code: 36 },
  failed: { sign: '✘', code: 31 },
  canceled: { sign: '–', code: 2 },
} as const;

export function paint(model: Model, code: number, text: string): string {
  return model.color && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text;
}

function oneLine(text: string): string {
  const end = text.indexOf('\n');
  return end < 0 ? text : `${text.slice(0, end)} …`;
}
