import { describe, expect, test } from 'vitest';
import type { BuildEvent } from '../../src/events.ts';
import { createPlain } from '../../src/progress/plain.ts';
import { RECORDED } from './recorded.ts';

function play(events: readonly (readonly [number, BuildEvent])[]): string {
  let text = '';
  let time = 0;
  const display = createPlain({ write: (more) => (text += more) }, { now: () => time });
  for (const [at, event] of events) {
    time = at;
    display.sink(event);
  }
  display.close();
  return text;
}

describe('the plain display', () => {
  test('tells a build line by line', () => {
    expect(play(RECORDED)).toMatchInlineSnapshot(`
      "#1 pull localhost:5000/base:1
      #1 sha256:aa 4.00 MB
      #1 sha256:bb exists
      #1 DONE 1.3s
      #2 [build 2/3] RUN make
      #2 cc -c app.c
      #2 done
      WARNING: StageNameCasing: lower case please (Dockerfile:2)
      #2 last
      #2 DONE 2.1s, 4.10 MB (args changed)
      #3 [stage-1 2/2] COPY --from=build /app /app
      #3 CACHED
      sha256:0123 as app:latest in 3.4s, 1 of 2 steps cached, 1 warning
      "
    `);
  });

  test('mentions a transfer that takes long every five seconds', () => {
    const event = (current: number): BuildEvent => ({
      type: 'step.progress',
      step: 'p',
      item: 'blob',
      current,
      total: 100e6,
      unit: 'bytes',
    });
    const lines = play([
      [0, event(0)],
      [2000, event(10e6)],
      [5000, event(20e6)],
      [6000, event(30e6)],
      [10_000, event(40e6)],
    ]);
    expect(lines).toBe('#1 p\n#1 blob 20.0 MB of 100 MB\n#1 blob 40.0 MB of 100 MB\n');
  });

  test('says how a step failed, and writes its unfinished line first', () => {
    const lines = play([
      [0, { type: 'step.start', step: 's' }],
      [0, { type: 'step.log', step: 's', stream: 'stderr', text: 'no newline' }],
      [
        9,
        {
          type: 'step.end',
          step: 's',
          outcome: 'failed',
          seconds: 0.009,
          message: 'exit status 1',
        },
      ],
    ]);
    expect(lines).toBe('#1 s\n#1 no newline\n#1 ERROR after 0.01s: exit status 1\n');
  });

  test('writes the rest of a step that was cut off', () => {
    expect(play([[0, { type: 'step.log', step: 's', stream: 'stdout', text: 'half' }]])).toBe(
      '#1 s\n#1 half\n',
    );
  });
});
