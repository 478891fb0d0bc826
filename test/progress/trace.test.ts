import { expect, test } from 'vitest';
import { createTrace } from '../../src/progress/trace.ts';
import { RECORDED } from './recorded.ts';

test('the trace has a span for each step, and lanes for steps that run at once', () => {
  let time = 0;
  const trace = createTrace(() => time);
  for (const [at, event] of RECORDED) {
    time = at;
    trace.sink(event);
  }
  trace.sink({ type: 'step.start', step: 'x' });
  trace.sink({ type: 'step.start', step: 'y' });
  trace.sink({ type: 'step.end', step: 'x', outcome: 'done', seconds: 0 });
  trace.sink({ type: 'step.end', step: 'y', outcome: 'done', seconds: 0 });
  const { traceEvents } = JSON.parse(trace.text());
  expect(traceEvents.map((span: { name: string; tid: number }) => [span.name, span.tid])).toEqual([
    ['pull localhost:5000/base:1', 1],
    ['[build 2/3] RUN make', 1],
    ['[stage-1 2/2] COPY --from=build /app /app', 1],
    ['x', 1],
    ['y', 2],
  ]);
  expect(traceEvents[1]).toMatchObject({ ph: 'X', cat: 'run', ts: 1_300_000, dur: 2_100_000 });
});

test('a part lies in the lane of its step, and has its own times', () => {
  const trace = createTrace(() => 5);
  trace.sink({ type: 'step.start', step: 'x' });
  trace.sink({ type: 'step.start', step: 'y' });
  trace.sink({ type: 'span', name: 'mount', step: 'y', since: 1.5, milliseconds: 0.25 });
  trace.sink({ type: 'span', name: 'parse', since: 1, milliseconds: 1 });
  expect(JSON.parse(trace.text()).traceEvents).toMatchObject([
    { name: 'mount', cat: 'part', ts: 1500, dur: 250, tid: 2 },
    { name: 'parse', cat: 'part', ts: 1000, dur: 1000, tid: 0 },
  ]);
});
