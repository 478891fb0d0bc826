import { expect, test } from 'vitest';
import { TsbuildError } from '../../src/errors.ts';
import { RegistryError } from '../../src/registry/error.ts';
import {
  defaultRetryLimits,
  parseRetryAfter,
  type RetryPolicy,
  withRetries,
} from '../../src/registry/retry.ts';
import { fakeClock } from '../helpers/registry-client.ts';

const clock = fakeClock();
const policy: RetryPolicy = {
  ...defaultRetryLimits,
  attempts: 4,
  firstDelayMilliseconds: 1000,
  clock,
};

function failing(times: number, error: unknown): () => Promise<string> {
  let left = times;
  return async () => {
    if (left-- > 0) throw error;
    return 'done';
  };
}
const passing = new TsbuildError('NETWORK', 'reset', { retryable: true });
const final = new TsbuildError('REGISTRY', 'refused');
const asking = (milliseconds: number) =>
  new RegistryError(
    'REGISTRY_RATE_LIMIT',
    'slow down',
    { method: 'GET', url: 'https://r/v2/', retryAfterMilliseconds: milliseconds },
    { retryable: true },
  );

test('waits twice as long each time, a part of it by chance', async () => {
  clock.waits.length = 0;
  expect(await withRetries(policy, failing(3, passing))).toBe('done');
  expect(clock.waits).toEqual([750, 1500, 3000]);
});

test('gives up after the last attempt with what was thrown last', async () => {
  await expect(withRetries(policy, failing(4, passing))).rejects.toBe(passing);
});

test('repeats nothing that failed for good, or that is no failure of ours', async () => {
  clock.waits.length = 0;
  await expect(withRetries(policy, failing(1, final))).rejects.toBe(final);
  await expect(withRetries(policy, failing(1, new Error('bug')))).rejects.toThrow('bug');
  expect(clock.waits).toEqual([]);
});

test('waits as long as the registry asks, and not if that is too long', async () => {
  clock.waits.length = 0;
  expect(await withRetries(policy, failing(1, asking(7000)))).toBe('done');
  expect(clock.waits).toEqual([7125]);
  await expect(withRetries(policy, failing(1, asking(3_600_000)))).rejects.toThrow('slow down');
});

test('an abort ends the waiting with its reason', async () => {
  const controller = new AbortController();
  const reason = new Error('stop');
  const attempt = async () => {
    controller.abort(reason);
    throw passing;
  };
  await expect(withRetries(policy, attempt, controller.signal)).rejects.toBe(reason);
});

test.each([
  ['5', 5000],
  ['0', 0],
  ['Thu, 01 Jan 1970 00:01:40 GMT', 60_000],
  ['Thu, 01 Jan 1970 00:00:01 GMT', 0],
  ['soon', undefined],
  [undefined, undefined],
])('Retry-After %s is %s ms', (value, expected) => {
  expect(parseRetryAfter(value, 40_000)).toBe(expected);
});
