/** Repeating what may succeed the next time: exponential backoff with jitter, or as long as the registry asks for. */
import { setTimeout as delay } from 'node:timers/promises';
import { isTsbuildError } from '../errors.ts';
import { RegistryError } from './error.ts';

/** Time and chance, handed in so that a test need not wait for either. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** In [0, 1). */
  random(): number;
}

export const systemClock: Clock = {
  now: Date.now,
  random: Math.random,
  sleep: async (milliseconds, signal) => {
    try {
      await delay(milliseconds, undefined, signal ? { signal } : {});
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  },
};

export interface RetryLimits {
  /** Attempts in all. */
  readonly attempts: number;
  readonly firstDelayMilliseconds: number;
  readonly maxDelayMilliseconds: number;
  /** A registry that asks for a longer wait is reported instead of waited for. */
  readonly maxRetryAfterMilliseconds: number;
}

export const defaultRetryLimits: RetryLimits = {
  attempts: 6,
  firstDelayMilliseconds: 500,
  maxDelayMilliseconds: 20_000,
  maxRetryAfterMilliseconds: 120_000,
};

export interface RetryPolicy extends RetryLimits {
  readonly clock: Clock;
  /** Told before each wait. */
  readonly onRetry?: (error: unknown, milliseconds: number) => void;
}

/** Calls `attempt` until it succeeds, fails for good, or has failed too often. Throws what it threw last. */
export async function withRetries<T>(
  policy: RetryPolicy,
  attempt: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (let failures = 0; ; ) {
    signal?.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      failures += 1;
      signal?.throwIfAborted();
      await pause(policy, error, failures, { signal });
    }
  }
}

/** Waits before the next attempt, or throws `error` if there should be none. `again`: although it does not look so. */
export async function pause(
  policy: RetryPolicy,
  error: unknown,
  failures: number,
  { signal, again = false }: { signal?: AbortSignal | undefined; again?: boolean } = {},
): Promise<void> {
  if (!isTsbuildError(error) || !(error.retryable || again) || failures >= policy.attempts)
    throw error;
  const asked = error instanceof RegistryError ? error.retryAfterMilliseconds : undefined;
  if (asked !== undefined && asked > policy.maxRetryAfterMilliseconds) throw error;
  // A little more than what was asked for, each client another little: all were told the same moment.
  const wait = Math.round(
    asked === undefined ? backoff(policy, failures) : asked + policy.clock.random() * 250,
  );
  policy.onRetry?.(error, wait);
  await policy.clock.sleep(wait, signal);
}

/** Between half of the delay and all of it, so that clients that failed together do not come back together. */
function backoff(policy: RetryPolicy, failures: number): number {
  const full = Math.min(
    policy.maxDelayMilliseconds,
    policy.firstDelayMilliseconds * 2 ** (failures - 1),
  );
  return full * (0.5 + policy.clock.random() / 2);
}

/** `Retry-After` as milliseconds from now: seconds or a date (RFC 9110, section 10.2.3). */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
