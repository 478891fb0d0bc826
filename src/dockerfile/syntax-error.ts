import { type SourceLocation, TsbuildError } from '../errors.ts';

interface FaultOptions {
  readonly hint?: string | undefined;
  readonly subject?: string | undefined;
  readonly line?: number;
  readonly endLine?: number;
}

/** A fault in the text itself, before the file's name and lines are at hand. {@link locateSyntaxError} adds them. */
export class SyntaxFault extends Error {
  override readonly name = 'SyntaxFault';
  readonly hint: string | undefined;
  /** The word at fault, if it is one. */
  readonly subject: string | undefined;
  /** Where it is, if that is not the whole instruction. */
  line: number | undefined;
  endLine: number | undefined;

  constructor(message: string, options: FaultOptions = {}) {
    super(message);
    this.hint = options.hint;
    this.subject = options.subject;
    this.line = options.line;
    this.endLine = options.endLine;
  }
}

/** Runs a reader of lines `line` to `endLine`, which its faults get as their place unless they know better. */
export function atLines<T>(line: number, endLine: () => number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof SyntaxFault) {
      error.line ??= line;
      error.endLine ??= endLine();
    }
    throw error;
  }
}

/** Turns a fault into the error that callers see; any other error is returned as it is. */
export function locateSyntaxError(error: unknown, location: SourceLocation): unknown {
  if (!(error instanceof SyntaxFault)) return error;
  const { message, hint, subject } = error;
  return new TsbuildError('DOCKERFILE_PARSE', message, {
    location: { ...location, ...(subject !== undefined && { subject }) },
    ...(hint !== undefined && { hint }),
  });
}

export function sourceLocation(
  file: string,
  lines: readonly string[],
  firstLine: number,
  endLine: number,
): SourceLocation {
  // An empty file has a first line too, for those who show it.
  const line = Math.max(1, firstLine);
  const lineText = lines[line - 1];
  return {
    file,
    line,
    endLine: Math.max(line, endLine),
    ...(lineText !== undefined && { lineText }),
  };
}
