/** Exit statuses of `tsbuild run`, which shares them with the command that it runs: docker's 125. */
import { isTsbuildError } from '../errors.ts';

/** What failed before the command of the container could tell for itself; usage errors stay what they are everywhere. */
export function runStatus(error: unknown): number {
  if (isTsbuildError(error) && error.code === 'ABORTED') return 130;
  return 125;
}
