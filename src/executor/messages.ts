/** What goes over the channel between client.ts and main.ts. Requests of a run carry its number; see protocol.ts. */
import { type ERROR_CODES, errnoOf, isTsbuildError, TsbuildError } from '../errors.ts';
import type { ExecRequest, ExecResult } from './protocol.ts';

export type ToExecutor =
  | { readonly type: 'init'; readonly session: Session }
  | { readonly type: 'run'; readonly run: number; readonly request: ExecRequest }
  | { readonly type: 'abort'; readonly run: number }
  | { readonly type: 'kill'; readonly id: string; readonly signal: NodeJS.Signals }
  /** Clear up and end. */
  | { readonly type: 'stop' };

export type FromExecutor =
  /** The process is there: namespaces and all. */
  | { readonly type: 'ready' }
  | {
      readonly type: 'output';
      readonly run: number;
      readonly stream: 'stdout' | 'stderr';
      readonly bytes: Uint8Array;
    }
  | { readonly type: 'done'; readonly run: number; readonly result: ExecResult }
  | { readonly type: 'failed'; readonly run: number; readonly error: SentError }
  | { readonly type: 'warning'; readonly message: string };

/** What an executor needs to know of its surroundings. */
export interface Session {
  readonly home: string;
  /** A private directory in the store's tmp/, for all that this executor writes. */
  readonly directory: string;
  /** What dead executors left there, to be removed. */
  readonly stale: readonly string[];
  readonly searchPath: string;
}

/** An error as plain data. */
export interface SentError {
  readonly code: keyof typeof ERROR_CODES;
  readonly message: string;
  readonly hint?: string;
  readonly retryable?: boolean;
  readonly cause?: { readonly message: string; readonly code?: string };
}

export function packError(error: unknown): SentError {
  const cause = error instanceof Error ? packCause(error.cause) : undefined;
  if (isTsbuildError(error)) {
    const { code, message, hint, retryable } = error;
    return { code, message, retryable, ...(hint ? { hint } : {}), ...(cause ? { cause } : {}) };
  }
  if (errnoOf(error) === 'ENOSPC' || errnoOf(error) === 'EDQUOT') {
    return { code: 'DISK_FULL', message: `run a step: ${(error as Error).message}` };
  }
  // A bug, or a system call that nobody expected to fail: the stack is what helps.
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: 'EXECUTOR', message: `run a step: ${text}` };
}

export function unpackError({ code, message, ...rest }: SentError): TsbuildError {
  const { cause, ...details } = rest;
  return new TsbuildError(code, message, {
    ...details,
    ...(cause ? { cause: Object.assign(new Error(cause.message), cause) } : {}),
  });
}

function packCause(cause: unknown): SentError['cause'] {
  if (!(cause instanceof Error)) return undefined;
  const code = errnoOf(cause);
  return { message: cause.message, ...(code ? { code } : {}) };
}
