/** Where a container's standard streams lead. */
import { isatty, ReadStream, WriteStream } from 'node:tty';
import type { ContainerIO, TerminalSize } from '../runtime/runtime.ts';
import type { ExecRequest } from './protocol.ts';

/** Descriptors of the build process's own streams. */
export interface StandardStreams {
  readonly stdin: number;
  readonly stdout: number;
  readonly stderr: number;
}

export function containerIO(request: ExecRequest, streams: StandardStreams): ContainerIO {
  if (request.stdio === 'none') return { stdin: 'none', stdout: 'pipe', stderr: 'pipe' };
  return { ...streams, stdin: stdinOf(request, streams) };
}

/** The size of the container's own terminal, that of ours, if it shall have one. */
export function terminalOf(
  request: ExecRequest,
  { stdin, stdout }: StandardStreams,
): TerminalSize | undefined {
  if (request.stdio === 'none' || request.tty !== true) return undefined;
  const ours = [stdout, stdin].find((fd) => isatty(fd));
  if (ours === undefined) return { height: 0, width: 0 };
  // Never closed: that would close the descriptor.
  const [width, height] = new WriteStream(ours).getWindowSize();
  return { height, width };
}

function stdinOf(request: ExecRequest, { stdin }: StandardStreams): ContainerIO['stdin'] {
  // Who has a terminal must be able to type Ctrl-C, which runc takes from it.
  if (request.stdin === false && request.tty !== true) return 'none';
  // Only the process group in the foreground may read a terminal, and a container without a terminal of its own is
  // not in it.
  return request.tty !== true && isatty(stdin) ? new ReadStream(stdin) : stdin;
}
