/** What the system says about a file, as an error for a person. */
import { type ErrorCode, errnoOf, isTsbuildError, TsbuildError } from '../errors.ts';

/**
 * `operation` is what was done to what, for instance `write blob sha256:…`. A full disk has its own code, whatever was being
 * done; everything else gets `code`. Errors that are ours already, and mistakes of the programmer, pass unchanged.
 */
export function diskError(error: unknown, operation: string, code: ErrorCode = 'STORE'): unknown {
  const errno = errnoOf(error);
  if (isTsbuildError(error) || errno === undefined) return error;
  const details = { cause: error, ...hintFor(errno) };
  if (['ENOSPC', 'EDQUOT'].includes(errno))
    return new TsbuildError('DISK_FULL', `${operation}: the disk is full`, details);
  return new TsbuildError(code, `${operation}: ${(error as Error).message}`, details);
}

function hintFor(errno: string): { hint?: string } {
  switch (errno) {
    case 'ENOSPC':
    case 'EDQUOT':
      return { hint: 'free some space or inodes; `tsbuild prune` removes what no image needs' };
    case 'EACCES':
    case 'EPERM':
      return { hint: 'check who owns the directory, or choose another one' };
    case 'EROFS':
      return { hint: 'the filesystem is read-only: choose another place' };
    case 'EMFILE':
    case 'ENFILE':
      return { hint: 'raise the limit on open files (ulimit -n)' };
    default:
      return {};
  }
}
