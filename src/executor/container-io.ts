/** Where a container's standard streams lead. */
import { isatty, ReadStream, WriteStream } from 'node:tty';
import type { ContainerIO, TerminalSize } from '../runtime/runtime.ts';
import type { ExecRequest } from './protocol.ts';

/** Descriptors that the build process passes on: its own 0, 1 and 2. Number 3 is the channel. */
export const INHERITED = { stdin: 4, stdout: 5, stderr: 6 } as const;

export function containerIO(request: ExecRequest): ContainerIO {
  if (request.stdio === 'none') return { stdin: 'none', stdout: 'pipe', stderr: 'pipe' };
  const { stdout, stderr } = INHERITED;
  return { stdin: stdinOf(request), stdout, stderr };
}

/** The size of the container's own terminal, that of ours, if it shall have one. */
export function terminalOf(request: ExecRequest): TerminalSize | undefined {
  if (request.stdio === 'none' || request.tty !== true) return undefined;
  const ours = [INHERITED.stdout, INHERITED.stdin].find((fd) => isatty(fd));
  if (ours === undefined) return { height: 0, width: 0 };
  // Never closed: that would close the descriptor.
  const [width, height] = new WriteStream(ours).getWindowSize();
  return { height, width };
}

function stdinOf(request: ExecRequest): ContainerIO['stdin'] {
  // Who has a terminal must be able to type Ctrl-C, which runc takes from it.
  if (request.stdin === false && request.tty !== true) return 'none';
  // Only the process group in the foreground may read a terminal, and a container without a terminal of its own is
  // not in it.
  const isOurs = request.tty !== true && isatty(INHERITED.stdin);
  return isOurs ? new ReadStream(INHERITED.stdin) : INHERITED.stdin;
}
