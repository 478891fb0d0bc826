/** The runtime that is crun: https://github.com/containers/crun/blob/1.8.1/crun.1.md */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { errnoOf, TsbuildError } from '../errors.ts';
import { MS_BIND, MS_RDONLY, MS_REMOUNT, mount } from '../host/syscalls.ts';
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

export function createCrun(options: RuntimeProgramOptions): Runtime {
  // Where it makes, for a moment, a view of itself that a container cannot write to; otherwise in /tmp.
  const env = { ...options.env, _LIBCONTAINER_STATEDIR: options.state };
  const file = readOnlyView(options.file, `${options.state}.program`);
  return file === undefined
    ? createRuntime(CRUN, { ...options, env })
    : createRuntime(CRUN, { ...options, file, env: { ...env, ...PROTECTED } });
}

/**
 * What tells crun that it was started from such a view already. Otherwise it mounts one for each container, and starts
 * itself anew from there: https://nvd.nist.gov/vuln/detail/CVE-2019-5736
 */
const PROTECTED = { _LIBCONTAINER_CLONED_BINARY: '1' };

/** `file`, mounted read-only in a new directory; `undefined` if that cannot be done here. */
function readOnlyView(file: string, directory: string): string | undefined {
  const place = join(directory, basename(file));
  mkdirSync(directory);
  writeFileSync(place, '');
  try {
    mount(file, place, '', MS_BIND);
    mount('', place, '', MS_BIND | MS_REMOUNT | MS_RDONLY);
    return place;
  } catch (error) {
    // As where the flags of the mount below are locked, in a user namespace: crun copies itself then.
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

const CRUN: RuntimeProgram = {
  command: (file, directory) => [
    ...[file, '--cgroup-manager=disabled', ...usualArgs(directory)],
    ...['run', '--config', `/proc/self/fd/${CONFIG_FD}`, ...containerArgs(directory)],
  ],
  // Written before the container's program starts.
  readPid: (directory) => JSON.parse(readFileSync(stateFile(directory, 'status'), 'utf8')).pid,
  startFailure: crunFailure,
};

/** What Docker answers when the kernel cannot execute a file that may be executed. */
const CANNOT_EXECUTE = 255;

/** @throws TsbuildError `EXECUTOR` if it is not the program that is at fault. */
export function crunFailure(problem: string): ContainerExit {
  const missing = /^executable file `(.*)` not found in \$PATH/s.exec(problem);
  if (missing !== null) {
    const reason = `exec: ${JSON.stringify(missing[1])}: executable file not found in $PATH`;
    return { exitCode: NOT_FOUND, reason };
  }
  const refused = /^open executable: (.*)$/s.exec(problem);
  if (refused !== null) {
    // So it puts that a directory is no program.
    const why = refused[1] === 'Operation not permitted' ? 'is a directory' : refused[1]!;
    return { exitCode: NOT_EXECUTABLE, reason: `exec: ${why.toLowerCase()}` };
  }
  const broken = /^exec container process .*?`(.*)`: (.*)$/s.exec(problem);
  if (broken !== null) {
    const reason = `exec: ${JSON.stringify(broken[1])}: ${broken[2]!.toLowerCase()}`;
    return { exitCode: CANNOT_EXECUTE, reason };
  }
  throw new TsbuildError('EXECUTOR', `start the container: ${problem}`);
}
