import { setMaxListeners } from 'node:events';

/**
 * Runs pieces of work at once. The first that fails aborts the others, and nothing of them goes on behind the caller's
 * back when this returns or throws. @throws what failed first, or the outer signal's reason
 */
export async function together<T>(
  outer: AbortSignal | undefined,
  start: (signal: AbortSignal) => readonly Promise<T>[],
): Promise<T[]> {
  const failed = new AbortController();
  // Whatever runs here listens: a dozen of listeners is no leak.
  const signal = outer ? AbortSignal.any([outer, failed.signal]) : failed.signal;
  setMaxListeners(0, signal);
  const running = start(signal);
  try {
    return await Promise.all(running);
  } catch (error) {
    failed.abort(error);
    await Promise.allSettled(running);
    outer?.throwIfAborted();
    throw error;
  }
}
