/**
 * A log: one line at a time, each named by the number of its step, so that steps that ran at once can be told apart.
 *
 *     #1 [build 2/3] RUN make
 *     #1 cc -o app app.c
 *     #1 DONE 1.2s, 4.10 MB
 *     #2 [build 3/3] COPY . .
 *     #2 CACHED
 *     built sha256:12ab… as app:latest in 1.3s, 1 of 2 steps cached
 */
import { type BuildEvent, type BuildEventOf, monotonicNow, type StepInfo } from '../events.ts';
import { type Counts, countStep } from './counts.ts';
import { formatBytes, formatSeconds, plural, shortName } from './format.ts';
import { createLogLines, type LogLines } from './log-lines.ts';
import type { Progress, ProgressOptions, ProgressStream } from './progress.ts';

/** A blob that takes long is mentioned this often, in milliseconds. */
const PROGRESS_EVERY = 5000;

interface State {
  readonly write: (line: string) => void;
  readonly now: () => number;
  readonly steps: Map<string, StepInfo>;
  readonly numbers: Map<string, number>;
  readonly logs: Map<string, LogLines>;
  readonly lastShown: Map<string, number>;
  readonly counts: Counts;
}

export function createPlain(stream: ProgressStream, options: ProgressOptions = {}): Progress {
  const state: State = {
    write: (line) => stream.write(`${line}\n`),
    now: options.now ?? monotonicNow,
    steps: new Map(),
    numbers: new Map(),
    logs: new Map(),
    lastShown: new Map(),
    counts: { total: 0, cached: 0, warnings: 0 },
  };
  return {
    sink: (event) => show(state, event),
    close() {
      for (const [step, log] of state.logs) writeLines(state, step, log.flush());
      state.logs.clear();
    },
  };
}

function show(state: State, event: BuildEvent): void {
  switch (event.type) {
    case 'plan':
      for (const step of event.steps) state.steps.set(step.id, step);
      break;
    case 'step.start':
      announce(state, event.step);
      break;
    case 'step.log':
      showLog(state, event);
      break;
    case 'step.progress':
      showProgress(state, event);
      break;
    case 'step.end':
      showEnd(state, event);
      break;
    case 'warning':
      state.counts.warnings += 1;
      state.write(warningLine(event));
      break;
    case 'result':
      state.write(summary(event, state.counts));
      break;
  }
}

/** The step's number; the first time, its name is written. */
function announce(state: State, step: string): number {
  const known = state.numbers.get(step);
  if (known !== undefined) return known;
  const number = state.numbers.size + 1;
  state.numbers.set(step, number);
  const name = state.steps.get(step)?.name ?? step;
  state.write(`#${number} ${name.replaceAll('\n', `\n#${number}   `)}`);
  return number;
}

function showLog(state: State, event: BuildEventOf<'step.log'>): void {
  let log = state.logs.get(event.step);
  if (log === undefined) {
    log = createLogLines();
    state.logs.set(event.step, log);
  }
  writeLines(state, event.step, log.push(event.text));
}

function writeLines(state: State, step: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  const number = announce(state, step);
  for (const line of lines) state.write(`#${number} ${line}`.trimEnd());
}

function showProgress(state: State, event: BuildEventOf<'step.progress'>): void {
  const number = announce(state, event.step);
  const key = `${event.step}\0${event.item}`;
  const last = state.lastShown.get(key);
  const now = state.now();
  if (last === undefined) state.lastShown.set(key, now);
  const due = last !== undefined && now - last >= PROGRESS_EVERY;
  if (!event.done && !due) return;
  state.lastShown.set(key, now);
  state.write(`#${number} ${event.item} ${amount(event)}`);
}

export function amount(event: BuildEventOf<'step.progress'>): string {
  const format = event.unit === 'bytes' ? formatBytes : (count: number) => plural(count, 'file');
  if (event.note !== undefined) return event.note;
  if (event.done || event.total === undefined) return format(event.current);
  return `${format(event.current)} of ${format(event.total)}`;
}

function showEnd(state: State, event: BuildEventOf<'step.end'>): void {
  const log = state.logs.get(event.step);
  if (log !== undefined) writeLines(state, event.step, log.flush());
  state.logs.delete(event.step);
  const number = announce(state, event.step);
  countStep(state.counts, state.steps.get(event.step), event);
  state.write(`#${number} ${outcome(event)}`);
}

export function outcome(event: BuildEventOf<'step.end'>): string {
  const took = formatSeconds(event.seconds);
  switch (event.outcome) {
    case 'cached':
      return 'CACHED';
    case 'canceled':
      return 'CANCELED';
    case 'failed':
      return `ERROR after ${took}${event.message ? `: ${event.message}` : ''}`;
    default: {
      const size = event.bytes === undefined ? '' : `, ${formatBytes(event.bytes)}`;
      const missed = event.missed ? ` (${event.missed})` : '';
      return `DONE ${took}${size}${event.message ? `, ${event.message}` : ''}${missed}`;
    }
  }
}

export function warningLine(event: BuildEventOf<'warning'>): string {
  const rule = event.rule === undefined ? '' : ` ${event.rule}:`;
  const place =
    event.location === undefined ? '' : ` (${event.location.file}:${event.location.line})`;
  return `WARNING:${rule} ${event.message}${place}`;
}

export function summary(event: BuildEventOf<'result'>, counts: Counts): string {
  const names = event.names.length > 0 ? ` as ${event.names.map(shortName).join(', ')}` : '';
  const digest = event.digest === undefined ? 'done' : event.digest;
  const cached =
    counts.total > 0 ? `, ${counts.cached} of ${plural(counts.total, 'step')} cached` : '';
  const warned = counts.warnings > 0 ? `, ${plural(counts.warnings, 'warning')}` : '';
  return `${digest}${names} in ${formatSeconds(event.seconds)}${cached}${warned}`;
}
