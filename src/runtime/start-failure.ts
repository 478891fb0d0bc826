/**
 * What runc's complaint means when a container did not start: the fault of what was to be run, or of this machine.
 */
import { TsbuildError } from '../errors.ts';
import type { ContainerExit } from './runtime.ts';

/** The statuses of a shell, and of `docker run`: https://docs.docker.com/engine/containers/run/#exit-status */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

/** @throws TsbuildError `EXECUTOR` or `UNSUPPORTED_HOST` if it is not the program that is at fault. */
export function startFailure(problem: string): ContainerExit {
  const reason = problem.replace(/^runc run failed: (unable to start container process: )?/, '');
  if (/^exec: .*(executable file not found|no such file or directory)/.test(reason)) {
    return { exitCode: NOT_FOUND, reason };
  }
  if (/^exec: .*(permission denied|is a directory|not a directory)/.test(reason)) {
    return { exitCode: NOT_EXECUTABLE, reason };
  }
  throw new TsbuildError('EXECUTOR', `start the container: ${reason}`);
}
