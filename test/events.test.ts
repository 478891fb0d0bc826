import { describe, expect, it } from 'vitest';
import { type BuildEventOf, epochNow, monotonicNow, startSpan } from '../src/events.ts';

describe('the clock of spans', () => {
  it('counts milliseconds, and agrees with Date.now', () => {
    const started = monotonicNow();
    const until = Date.now() + 5;
    while (Date.now() < until);
    const passed = monotonicNow() - started;
    expect(passed).toBeGreaterThan(3);
    expect(Math.abs(epochNow() - Date.now())).toBeLessThan(1000);
  });

  it('times a span by when it began and how long it took', () => {
    const spans: BuildEventOf<'span'>[] = [];
    const before = epochNow();
    const end = startSpan((span) => spans.push(span), 'key', 'a');
    end();
    expect(spans).toEqual([
      {
        type: 'span',
        name: 'key',
        step: 'a',
        since: expect.any(Number),
        milliseconds: expect.any(Number),
      },
    ]);
    const [{ since, milliseconds }] = spans as [BuildEventOf<'span'>];
    expect(since).toBeGreaterThanOrEqual(before);
    expect(since + milliseconds).toBeLessThanOrEqual(epochNow());
  });
});
