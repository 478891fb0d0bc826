/** The runtime that is runc: https://github.com/opencontainers/runc/blob/v1.1.5/man/runc-run.8.md */
import { readFileSync } from 'node:fs';
import { TsbuildError } from '../errors.ts';
import {
  containerArgs,
  createRuntime,
  type RuntimeProgram,
  type RuntimeProgramOptions,
  stateFile,
  usualArgs,
} from './container-process.ts';
import { type ContainerExit, NOT_EXECUTABLE, NOT_FOUND, type Runtime } from './runtime.ts';
import { CONFIG_FD } from './waiting-process.ts';

export function createRunc(options: RuntimeProgramOptions): Runtime {
  return createRuntime(RUNC, options);
}

const RUNC: RuntimeProgram = {
  command: (file, directory) => [
    ...['/bin/sh', '-c', RECEIVE, 'sh', directory],
    // Errors about cgroups are not errors: there are none to be written to.
    ...[file, '--rootless=true', ...usualArgs(directory), 'run', ...containerArgs(directory)],
  ],
  // Written before the container's program starts.
  readPid: (directory) =>
    JSON.parse(readFileSync(stateFile(directory, 'state.json'), 'utf8')).init_process_pid,
  startFailure: runcFailure,
};

/** runc reads a file: the shell that will become it waits for that. */
const RECEIVE = `cat <&${CONFIG_FD} >"$1/config.json" && test -s "$1/config.json" && shift && exec "$@" ${CONFIG_FD}<&-`;

/** @throws TsbuildError `EXECUTOR` if it is not the program that is at fault. */
export function runcFailure(problem: string): ContainerExit {
  const reason = problem.replace(/^runc run failed: (unable to start container process: )?/, '');
  if (/^exec: .*(executable file not found|no such file or directory)/.test(reason)) {
    return { exitCode: NOT_FOUND, reason };
  }
  if (/^exec: .*(permission denied|is a directory|not a directory)/.test(reason)) {
    return { exitCode: NOT_EXECUTABLE, reason };
  }
  throw new TsbuildError('EXECUTOR', `start the container: ${reason}`);
}
