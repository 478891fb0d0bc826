/** Every event as one line of JSON, with the time at which it came; the first line names the version of the union. */
import { EVENTS_VERSION } from '../events.ts';
import type { Progress, ProgressStream } from './progress.ts';

export function createJson(stream: ProgressStream, date: () => Date = () => new Date()): Progress {
  const line = (value: object) =>
    stream.write(`${JSON.stringify({ time: date().toISOString(), ...value })}\n`);
  line({ type: 'version', version: EVENTS_VERSION });
  return { sink: line, close: () => {} };
}
