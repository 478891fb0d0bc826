/** What a pull or a push tells of each blob while it moves. */
import { type EventSink, startSpan } from '../events.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { hexOf } from '../oci/digest.ts';

export interface Transfer {
  /** Bytes so far. */
  moved(current: number): void;
  /** `note` says why there was nothing to do. */
  done(note?: string): void;
}

/** Bytes between two events of one blob: enough for a smooth display, and few for a blob of gigabytes. */
const STEP_BYTES = 1024 * 1024;

export function startTransfer(
  emit: EventSink | undefined,
  step: string,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
  kind: 'compress' | 'upload' | 'download',
): Transfer {
  const item = `${kind === 'compress' ? 'compress ' : ''}${hexOf(digest).slice(0, 12)}`;
  const endSpan = emit && startSpan(emit, kind, step);
  const common = { type: 'step.progress', step, item, total: size, unit: 'bytes' } as const;
  let told = 0;
  return {
    moved(current) {
      // Less than before: a broken transfer that starts over.
      if (current >= told && current < told + STEP_BYTES) return;
      told = current;
      emit?.({ ...common, current });
    },
    done(note) {
      if (note === undefined) endSpan?.();
      emit?.({ ...common, current: size, done: true, ...(note ? { note } : {}) });
    },
  };
}
