/** Errors between threads and processes: structured clone drops what is ours about them (code, hint, place). */

import type { ErrorCode } from '../errors.ts';
import { type ErrorDetails, isTsbuildError, TsbuildError } from '../errors.ts';

export interface PlainError {
  /** Absent for errors that are not ours. */
  readonly code?: ErrorCode;
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly details?: Omit<ErrorDetails, 'cause'>;
  readonly cause?: PlainError;
  /** Of system errors. */
  readonly errno?: string;
}

/** Causes are kept, to a depth that a person can still read. */
export function toPlainError(error: unknown, depth = 4): PlainError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message, stack, cause } = error;
  const errno = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const plain = {
    name,
    message,
    ...(stack !== undefined && { stack }),
    ...(cause !== undefined && depth > 0 && { cause: toPlainError(cause, depth - 1) }),
  };
  if (!isTsbuildError(error)) return { ...plain, ...(errno !== undefined && { errno }) };
  const { hint, location, step, retryable } = error;
  const details = {
    retryable,
    ...(hint !== undefined && { hint }),
    ...(location !== undefined && { location }),
    ...(step !== undefined && { step }),
  };
  return { ...plain, code: error.code, details };
}

export function fromPlainError(plain: PlainError): Error {
  const cause = plain.cause && { cause: fromPlainError(plain.cause) };
  const error =
    plain.code === undefined
      ? Object.assign(
          new Error(plain.message, cause),
          { name: plain.name },
          plain.errno && { code: plain.errno },
        )
      : new TsbuildError(plain.code, plain.message, { ...plain.details, ...cause });
  if (plain.stack !== undefined) error.stack = plain.stack;
  return error;
}
