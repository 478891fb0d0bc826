import { describe, expect, it } from 'vitest';
import type { BuildEvent } from '../src/events.ts';
import { startOperation } from '../src/operation.ts';

const warning = (message: string): BuildEvent => ({ type: 'warning', message });

describe('an operation', () => {
  it('resolves to the result of its work', async () => {
    expect(await startOperation(async () => 42)).toBe(42);
  });

  it('yields every event to who iterates, also those before the first await', async () => {
    const operation = startOperation(async ({ emit }) => {
      emit(warning('a'));
      await Promise.resolve();
      emit(warning('b'));
      return 1;
    });
    const seen: string[] = [];
    for await (const event of operation) if (event.type === 'warning') seen.push(event.message);
    expect(seen).toEqual(['a', 'b']);
    expect(await operation).toBe(1);
  });

  it('throws its failure to who iterates', async () => {
    const operation = startOperation(async ({ emit }) => {
      emit(warning('a'));
      throw new Error('broken');
    });
    const seen: BuildEvent[] = [];
    await expect(async () => {
      for await (const event of operation) seen.push(event);
    }).rejects.toThrow('broken');
    expect(seen).toHaveLength(1);
  });

  it('rejects with the reason when an outer signal aborts', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const operation = startOperation(
      ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      controller.signal,
    );
    controller.abort(reason);
    await expect(operation).rejects.toBe(reason);
  });

  it('does not start its work when the signal was aborted before', async () => {
    let started = false;
    const operation = startOperation(
      async () => {
        started = true;
      },
      AbortSignal.abort(new Error('no')),
    );
    await expect(operation).rejects.toThrow('no');
    expect(started).toBe(false);
  });

  it('is aborted by disposal, which waits for its end and does not throw', async () => {
    let ended = false;
    {
      await using operation = startOperation(async ({ signal }) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        ended = true;
        signal.throwIfAborted();
      });
      operation.catch(() => {});
      await Promise.resolve();
    }
    expect(ended).toBe(true);
  });
});
