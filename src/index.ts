/** The public API. Everything else is reached through it; each function loads what it needs when it is called. */
export {
  ERROR_CODES,
  type ErrorCode,
  exitStatus,
  isTsbuildError,
  RunError,
  type SourceLocation,
  TsbuildError,
} from './errors.ts';
export type * from './events.ts';
export type * from './options.ts';
