/** A process for commands under test, without a process: streams in memory, and a list of what happened. */
import { PassThrough } from 'node:stream';
import type { CommandContext, FailureHandling } from '../../src/cli/command.ts';

export interface FakeContext extends CommandContext {
  readonly handlings: FailureHandling[];
  out(): string;
  err(): string;
}

export function fakeContext(env: Record<string, string> = {}, stdin = ''): FakeContext {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const handlings: FailureHandling[] = [];
  const input = new PassThrough();
  input.end(stdin);
  const text = (stream: PassThrough) => String(stream.read() ?? '');
  return {
    env,
    stdin: input,
    stdout,
    stderr,
    signal: new AbortController().signal,
    takeSignals: () => {},
    onFailure: (handling) => handlings.push(handling),
    handlings,
    out: () => text(stdout),
    err: () => text(stderr),
  };
}
