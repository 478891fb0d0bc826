/** Work outside the graph (a pull, a push, an export), told as one step. */
import { type EventSink, monotonicNow, type StepInfo } from './events.ts';

/** Announces the step, carries `work` out, and says how it ended. */
export async function asStep<T>(
  info: StepInfo,
  emit: EventSink,
  work: (step: string) => Promise<T>,
): Promise<T> {
  const started = monotonicNow();
  const end = (outcome: 'done' | 'failed', message?: string) => {
    const seconds = (monotonicNow() - started) / 1000;
    emit({ type: 'step.end', step: info.id, outcome, seconds, ...(message ? { message } : {}) });
  };
  emit({ type: 'plan', steps: [info] });
  emit({ type: 'step.start', step: info.id });
  try {
    const result = await work(info.id);
    end('done');
    return result;
  } catch (error) {
    end('failed', error instanceof Error ? error.message : String(error));
    throw error;
  }
}
