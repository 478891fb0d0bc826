/** STOPSIGNAL: any number but 0, as in the engine, or a name with or without `SIG`, as Linux knows them. */
import { constants } from 'node:os';
import { TsbuildError } from '../errors.ts';

/** @throws TsbuildError `DOCKERFILE_PARSE` if nothing can be sent under that name. */
export function checkSignal(text: string): void {
  if (/^[+-]?\d+$/.test(text)) {
    if (Number(text) !== 0 && Math.abs(Number(text)) < 2 ** 63) return;
  } else {
    const name = `SIG${text.toUpperCase().replace(/^SIG/, '')}`;
    if (name in constants.signals || name === 'SIGCLD') return;
    const realTime = /^SIGRT(MIN(\+([0-9]|1[0-5]))?|MAX(-([0-9]|1[0-4]))?)$/;
    if (realTime.test(name)) return;
  }
  throw new TsbuildError('DOCKERFILE_PARSE', `invalid signal: ${text}`, {
    hint: 'name a signal as SIGTERM, TERM or 15',
  });
}
