/** Where the time of an operation went, as Chrome's trace format shows it (chrome://tracing, Perfetto). */
import { type BuildEvent, type BuildEventOf, epochNow, type StepInfo } from '../events.ts';

/** One complete event ("ph": "X"): https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU */
interface TraceEvent {
  readonly name: string;
  readonly cat: string;
  readonly ph: 'X';
  /** Microseconds. */
  readonly ts: number;
  readonly dur: number;
  readonly pid: number;
  readonly tid: number;
  readonly args: Readonly<Record<string, unknown>>;
}

export interface Trace {
  readonly sink: (event: BuildEvent) => void;
  /** The file's text. */
  text(): string;
}

/** Steps that run at once get lanes (threads) of their own; their parts lie in them, and what belongs to no step in lane 0. */
export function createTrace(now: () => number = epochNow): Trace {
  const steps = new Map<string, StepInfo>();
  const open = new Map<string, { readonly since: number; readonly lane: number }>();
  const spans: TraceEvent[] = [];
  const freeLane = () => {
    const used = new Set([...open.values()].map((each) => each.lane));
    let lane = 1;
    while (used.has(lane)) lane += 1;
    return lane;
  };
  const part = ({ name, step, since, milliseconds }: BuildEventOf<'span'>) => {
    spans.push({
      name,
      cat: 'part',
      ph: 'X',
      ts: Math.round(since * 1000),
      dur: Math.round(milliseconds * 1000),
      pid: 1,
      tid: step === undefined ? 0 : (open.get(step)?.lane ?? 0),
      args: step === undefined ? {} : { step: steps.get(step)?.name },
    });
  };
  const end = (event: BuildEventOf<'step.end'>) => {
    const started = open.get(event.step);
    open.delete(event.step);
    const at = now();
    const since = started?.since ?? at - event.seconds * 1000;
    const { name = event.step, kind = 'step', stage, platform } = steps.get(event.step) ?? {};
    spans.push({
      name,
      cat: kind,
      ph: 'X',
      ts: Math.round(since * 1000),
      dur: Math.round((at - since) * 1000),
      pid: 1,
      tid: started?.lane ?? 0,
      args: { outcome: event.outcome, bytes: event.bytes, stage, platform },
    });
  };
  return {
    sink(event) {
      if (event.type === 'plan') for (const step of event.steps) steps.set(step.id, step);
      if (event.type === 'step.start') open.set(event.step, { since: now(), lane: freeLane() });
      if (event.type === 'step.end') end(event);
      if (event.type === 'span') part(event);
    },
    text: () => `${JSON.stringify({ traceEvents: spans, displayTimeUnit: 'ms' })}\n`,
  };
}
