/** The JSON of `--call=check,format=json`, as `docker buildx build` prints it. */
import type { SourceLocation } from '../../errors.ts';
import type { LintResult } from './lint.ts';

export function lintToJson({ warnings, error }: LintResult): object {
  return {
    warnings: warnings.map((warning) => ({ ...warning, location: rangesOf(warning.location) })),
    ...(error && { buildError: { message: error.message, location: rangesOf(error.location) } }),
  };
}

/** A range for each line. */
function rangesOf(location: SourceLocation | undefined): object {
  if (location === undefined) return {};
  const { line, endLine = line } = location;
  const lines = Array.from({ length: endLine - line + 1 }, (_, offset) => ({
    line: line + offset,
  }));
  return { ranges: lines.map((place) => ({ start: place, end: place })) };
}
