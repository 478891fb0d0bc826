import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { BuildEvent } from '../../src/events.ts';
import { textWidth } from '../../src/progress/text-width.ts';
import { createTty } from '../../src/progress/tty.ts';
import { RECORDED } from './recorded.ts';
import { createScreen } from './screen.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Plays events on a small terminal; `at` looks at the screen before the first event later than that time. */
function terminal(size: { columns: number; rows: number }) {
  const screen = createScreen(size);
  let time = 0;
  const display = createTty(screen, { now: () => time, color: false });
  return {
    screen,
    display,
    play(events: readonly (readonly [number, BuildEvent])[]) {
      for (const [at, event] of events) {
        vi.advanceTimersByTime(at - time);
        time = at;
        display.sink(event);
      }
    },
    wait(milliseconds: number) {
      time += milliseconds;
      vi.advanceTimersByTime(milliseconds);
    },
  };
}

const until = (end: number) => RECORDED.filter(([at]) => at <= end);

describe('the live display', () => {
  test('shows a transfer with bar, amount and rate', () => {
    const { screen, play, wait } = terminal({ columns: 80, rows: 24 });
    play(until(1100));
    wait(100);
    expect(screen.lines()).toMatchInlineSnapshot(`
      [
        "▸ pull localhost:5000/base:1  1.2s",
        "    sha256:aa  [███████████████     ] 3.00 MB of 4.00 MB, 2.73 MB/s",
      ]
    `);
  });

  test('shows the last lines of what a step prints, below what has ended', () => {
    const { screen, play, wait } = terminal({ columns: 80, rows: 24 });
    play(until(1600));
    wait(100);
    expect(screen.lines()).toMatchInlineSnapshot(`
      [
        "✔ pull localhost:5000/base:1  1.3s",
        "WARNING: StageNameCasing: lower case please (Dockerfile:2)",
        "▸ [build 2/3] RUN make  0.40s",
        "    cc -c app.c",
        "    done",
      ]
    `);
  });

  test('leaves one line for each step, and the summary', () => {
    const { screen, play, display } = terminal({ columns: 80, rows: 24 });
    play(RECORDED);
    display.close();
    expect(screen.lines()).toMatchInlineSnapshot(`
      [
        "✔ pull localhost:5000/base:1  1.3s",
        "WARNING: StageNameCasing: lower case please (Dockerfile:2)",
        "✔ [build 2/3] RUN make  2.1s, 4.10 MB, args changed",
        "✔ [stage-1 2/2] COPY --from=build /app /app  cached",
        "sha256:0123 as app:latest in 3.4s, 1 of 2 steps cached, 1 warning",
      ]
    `);
    expect(screen.cursorVisible()).toBe(true);
  });

  test('never draws wider or higher than the terminal', () => {
    const { screen, play, wait } = terminal({ columns: 30, rows: 8 });
    play(
      Array.from({ length: 20 }, (_, at): [number, BuildEvent] => [
        0,
        {
          type: 'step.log',
          step: `step ${at} ${'x'.repeat(60)}`,
          stream: 'stdout',
          text: 'y\n'.repeat(20),
        },
      ]),
    );
    wait(500);
    expect(screen.lines().length).toBeLessThan(8);
    expect(screen.lines().at(-1)).toMatch(/… and \d+ more/);
    for (const line of screen.lines()) expect(textWidth(line)).toBeLessThan(30);
    expect(screen.scrolled()).toBe(0);
  });

  test('draws at most ten frames a second, each as one write', () => {
    const { screen, play, wait } = terminal({ columns: 80, rows: 24 });
    play([[0, { type: 'step.start', step: 's' }]]);
    const before = screen.writes();
    for (let at = 0; at < 1000; at++) {
      play([[at, { type: 'step.log', step: 's', stream: 'stdout', text: 'line\n' }]]);
    }
    wait(10);
    expect(screen.writes() - before).toBeLessThanOrEqual(11);
  });

  test('leaves the terminal alone while no step runs', () => {
    const { screen, play, wait } = terminal({ columns: 80, rows: 24 });
    play([
      [0, { type: 'step.start', step: 's' }],
      [10, { type: 'step.end', step: 's', outcome: 'done', seconds: 0.01 }],
    ]);
    const before = screen.writes();
    wait(1000);
    expect(screen.writes()).toBe(before);
    expect(screen.cursorVisible()).toBe(true);
  });

  test('takes away what ran when the operation fails', () => {
    const { screen, play, display, wait } = terminal({ columns: 80, rows: 24 });
    play(until(1600));
    wait(100);
    display.close();
    expect(screen.lines().join('\n')).not.toContain('▸');
    expect(screen.cursorVisible()).toBe(true);
  });
});
