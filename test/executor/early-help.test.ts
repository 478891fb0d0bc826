import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { helpEarly } from '../../src/executor/early-help.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('help is called once, when there is much', () => {
  const isMuch = vi
    .fn()
    .mockReturnValueOnce(false)
    .mockReturnValueOnce(false)
    .mockReturnValue(true);
  const getReady = vi.fn();
  using _help = helpEarly(isMuch, getReady);
  vi.advanceTimersByTime(200 + 400 + 799);
  expect(getReady).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(getReady).toHaveBeenCalledOnce();
  vi.advanceTimersByTime(60_000);
  expect(getReady).toHaveBeenCalledOnce();
  expect(isMuch).toHaveBeenCalledTimes(3);
});

test('it is looked at ever less often, and a container that ends soon is not looked at', () => {
  const isMuch = vi.fn().mockReturnValue(false);
  const help = helpEarly(isMuch, expect.fail);
  vi.advanceTimersByTime(199);
  expect(isMuch).not.toHaveBeenCalled();
  vi.advanceTimersByTime(3_600_000);
  expect(isMuch.mock.calls.length).toBeLessThan(20);
  help[Symbol.dispose]();
  expect(vi.getTimerCount()).toBe(0);
});
