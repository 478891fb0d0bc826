/**
 * Every failure a caller can meet is a {@link TsbuildError}: what happened, where, and what to do next.
 * Callers switch on `code`, never on the message or on `instanceof` (which fails across realms).
 * Programmer mistakes stay `TypeError`/`Error`; absence is `undefined`, not an exception.
 */

/** One row for each code: the exit status of the command, and the sentence that the README shows. */
export const ERROR_CODES = {
  USAGE: { exit: 2, meaning: 'the command line or an option is wrong' },
  DOCKERFILE_PARSE: { exit: 3, meaning: 'the Dockerfile is not valid' },
  DOCKERFILE_REFERENCE: {
    exit: 3,
    meaning: 'the Dockerfile names a stage that does not exist or not yet',
  },
  CHECK_FAILED: { exit: 3, meaning: 'a build check failed' },
  CONTEXT: { exit: 4, meaning: 'the build context cannot be read' },
  COPY_SOURCE: {
    exit: 4,
    meaning: 'a file that COPY or ADD names is missing or outside the context',
  },
  RUN_FAILED: { exit: 5, meaning: 'a RUN step ended with a non-zero status' },
  OUT_OF_MEMORY: { exit: 5, meaning: 'a step was killed for lack of memory' },
  IMAGE_NOT_FOUND: { exit: 6, meaning: 'an image is neither in the store nor in its registry' },
  PLATFORM: {
    exit: 6,
    meaning: 'an image does not exist for the platform, or the platform cannot run here',
  },
  REGISTRY: { exit: 7, meaning: 'a registry refused a request or answered nonsense' },
  REGISTRY_AUTH: { exit: 7, meaning: 'a registry refused the credentials, or needs some' },
  REGISTRY_RATE_LIMIT: { exit: 7, meaning: 'a registry asks to come back later' },
  NETWORK: { exit: 7, meaning: 'a host cannot be reached, or the connection broke' },
  DIGEST_MISMATCH: {
    exit: 8,
    meaning: 'content does not have the digest or size that was promised',
  },
  ARCHIVE: { exit: 8, meaning: 'an archive is damaged, hostile or of an unknown kind' },
  MANIFEST: { exit: 8, meaning: 'a manifest, index or image configuration is not valid' },
  STORE: { exit: 9, meaning: 'the local store cannot be read or written' },
  DISK_FULL: { exit: 9, meaning: 'the disk or its inodes are used up' },
  OUTPUT: { exit: 9, meaning: 'the result cannot be written where it was asked for' },
  UNSUPPORTED_HOST: { exit: 10, meaning: 'this machine lacks something that the operation needs' },
  EXECUTOR: { exit: 10, meaning: 'the process that runs steps failed to start or died' },
  NOT_FOUND: { exit: 11, meaning: 'no such image, container or file' },
  CONFLICT: { exit: 11, meaning: 'the name is in use, or the object is' },
  ABORTED: { exit: 130, meaning: 'the operation was interrupted' },
  INTERNAL: { exit: 70, meaning: 'a bug in tsbuild' },
} as const satisfies Record<string, { exit: number; meaning: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** A place in a source file. Lines and columns count from 1. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly endLine?: number;
  readonly column?: number;
  /** The text of `line`, for display. */
  readonly lineText?: string;
  /** The word at fault, where it is one; it may stand on any line of the instruction. */
  readonly subject?: string;
}

export interface ErrorDetails {
  readonly cause?: unknown;
  /** What to do next: one sentence in the imperative. */
  readonly hint?: string;
  readonly location?: SourceLocation;
  /** Display name of the step that failed, for instance `[build 3/7] RUN make`. */
  readonly step?: string;
  /** Whether the same call may succeed when it is made again. */
  readonly retryable?: boolean;
}

export class TsbuildError extends Error {
  override readonly name: string = 'TsbuildError';
  readonly code: ErrorCode;
  readonly retryable: boolean;
  hint?: string;
  location?: SourceLocation;
  step?: string;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.retryable = details.retryable ?? false;
    if (details.hint !== undefined) this.hint = details.hint;
    if (details.location !== undefined) this.location = details.location;
    if (details.step !== undefined) this.step = details.step;
  }
}

/** A RUN step that ended badly. Has the fields of a successful result too. */
export class RunError extends TsbuildError {
  override readonly name = 'RunError';
  readonly exitCode: number;
  readonly signal: string | undefined;
  /** The last lines that the step printed; bounded. */
  readonly logTail: readonly string[];

  constructor(
    message: string,
    result: { exitCode: number; signal?: string; logTail: readonly string[] },
    details: ErrorDetails & { code?: 'RUN_FAILED' | 'OUT_OF_MEMORY' } = {},
  ) {
    super(details.code ?? 'RUN_FAILED', message, details);
    this.exitCode = result.exitCode;
    this.signal = result.signal;
    this.logTail = result.logTail;
  }
}

export function isTsbuildError(error: unknown): error is TsbuildError {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    error.code in ERROR_CODES
  );
}

/** The exit status of a command that ends with this error; 1 for what is not ours. */
export function exitStatus(error: unknown): number {
  return isTsbuildError(error) ? ERROR_CODES[error.code].exit : 1;
}

/** Gives an error the place and step that it lacks, and returns it: an outer layer knows more than an inner one. */
export function locate<E>(error: E, where: { location?: SourceLocation; step?: string }): E {
  if (isTsbuildError(error)) {
    if (where.location !== undefined) error.location ??= where.location;
    if (where.step !== undefined) error.step ??= where.step;
  }
  return error;
}

/** The errno name of a system error (`ENOENT`), if it is one. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' && /^E[A-Z0-9]+$/.test(error.code) ? error.code : undefined;
}
