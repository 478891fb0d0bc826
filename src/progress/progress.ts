/**
 * Progress displays: each takes the events of one operation and writes to a terminal or a log. They see nothing but
 * events, keep what they need of them, and know no step kinds beyond display names. A display's life: created, given
 * every event in order, closed once (also after a failure, when it leaves the terminal as it found it).
 *
 *     const display = createProgress('plain', process.stderr);
 *     operation.onEvent(display.sink);
 *     try { await operation } finally { display.close() }
 */
import type { BuildEvent } from '../events.ts';
import { createJson } from './json.ts';
import { createPlain } from './plain.ts';
import { createTty } from './tty.ts';

export type ProgressMode = 'auto' | 'tty' | 'plain' | 'json' | 'quiet';

/** The part of a terminal that displays use. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export interface Progress {
  readonly sink: (event: BuildEvent) => void;
  close(): void;
}

export interface ProgressOptions {
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
  readonly color?: boolean;
}

export function createProgress(
  mode: ProgressMode,
  stream: ProgressStream,
  options: ProgressOptions = {},
): Progress {
  switch (mode === 'auto' ? (stream.isTTY ? 'tty' : 'plain') : mode) {
    case 'tty':
      return createTty(stream, options);
    case 'json':
      return createJson(stream);
    case 'quiet':
      return { sink: () => {}, close: () => {} };
    default:
      return createPlain(stream, options);
  }
}
