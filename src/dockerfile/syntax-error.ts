import { TsbuildError } from '../errors.ts';

/** A fault in the text itself, before the file's name and lines are at hand. {@link locateSyntaxError} adds them. */
export class SyntaxFault extends Error {
  override readonly name = 'SyntaxFault';
  readonly hint: string | undefined;
  /** Where it is, if that is not the whole instruction. */
  line: number | undefined;
  endLine: number | undefined;

  constructor(message: string, options: { hint?: string; line?: number; endLine?: number } = {}) {
    super(message);
    this.hint = options.hint;
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
export function locateSyntaxError(error: unknown, file: string, lines: readonly string[]): unknown {
  if (!(error instanceof SyntaxFault)) return error;
  const line = Math.max(1, error.line ?? 1);
  const lineText = lines[line - 1];
  return new TsbuildError('DOCKERFILE_PARSE', error.message, {
    ...(error.hint !== undefined && { hint: error.hint }),
    location: {
      file,
      line,
      endLine: Math.max(line, error.endLine ?? line),
      ...(lineText !== undefined && { lineText }),
    },
  });
}
