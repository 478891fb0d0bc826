/**
 * `.dockerignore`: which files of a directory context do not exist for the build. Written as the engine reads it
 * (https://docs.docker.com/build/concepts/context/#dockerignore-files); the matching is tree/path-patterns.ts.
 */
import fs from 'node:fs';
import path from 'node:path';
import { errnoOf, TsbuildError } from '../errors.ts';
import { decodeName } from '../host/path-bytes.ts';
import {
  cleanPattern,
  type MatchState,
  matchPath,
  type PathPatterns,
  parsePatterns,
} from '../tree/path-patterns.ts';

export interface IgnoreRules {
  /** For display: the file the rules stand in. */
  readonly file: string;
  readonly patterns: PathPatterns;
  /** Line of each pattern in the file, from 1. */
  readonly lines: readonly number[];
}

/** The rule that hides a path, for an error message. */
export interface IgnoreReason {
  readonly file: string;
  readonly line: number;
  readonly pattern: string;
}

/**
 * The rules for a context: `<Dockerfile>.dockerignore` beside the Dockerfile if it exists, even empty; else
 * `.dockerignore` at the context's root; else `undefined`. A directory of that name is not a file of rules.
 * @throws TsbuildError `CONTEXT` if the file cannot be read or a pattern is malformed.
 */
export function readIgnoreRules(directory: string, dockerfile?: string): IgnoreRules | undefined {
  const files = [
    ...(dockerfile === undefined ? [] : [`${dockerfile}.dockerignore`]),
    path.join(directory, '.dockerignore'),
  ];
  for (const file of files) {
    const text = readOptional(file);
    if (text !== undefined) return parseIgnoreRules(text, path.relative(directory, file));
  }
  return undefined;
}

/** @throws TsbuildError `CONTEXT` with the line of a malformed pattern. */
export function parseIgnoreRules(text: string, file = '.dockerignore'): IgnoreRules {
  const patterns: PathPatterns[number][] = [];
  const lines: number[] = [];
  for (const [index, line] of text
    .replace(/^\ufeff/, '')
    .split('\n')
    .entries()) {
    const pattern = normalizeLine(line);
    if (pattern === undefined) continue;
    try {
      patterns.push(...parsePatterns([pattern]));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const location = { file, line: index + 1, lineText: line.trimEnd() };
      throw new TsbuildError('CONTEXT', `read ${file}:${index + 1}: ${why}`, { cause, location });
    }
    lines.push(index + 1);
  }
  return { file, patterns, lines };
}

/** Which rule hides `path` (of the tree); `undefined` if it is not hidden. */
export function whyIgnored(rules: IgnoreRules, path: string): IgnoreReason | undefined {
  const parts = path.split('/');
  let state: MatchState | undefined;
  let decidedBy = -1;
  for (const depth of parts.keys()) {
    const match = matchPath(rules.patterns, parts.slice(0, depth + 1).join('/'), state);
    state = match.state;
    decidedBy = match.matched ? match.decidedBy : -1;
  }
  const pattern = rules.patterns[decidedBy];
  return pattern && { file: rules.file, line: rules.lines[decidedBy]!, pattern: pattern.text };
}

/** A comment is one only if `#` stands first in the line; the leading slash of the root may be written. */
function normalizeLine(line: string): string | undefined {
  if (line.startsWith('#')) return undefined;
  const trimmed = line.trim();
  if (trimmed === '') return undefined;
  const exception = trimmed.startsWith('!');
  const body = exception ? trimmed.slice(1).trim() : trimmed;
  const cleaned = body === '' ? '' : cleanPattern(body);
  const relative = cleaned.length > 1 && cleaned.startsWith('/') ? cleaned.slice(1) : cleaned;
  return (exception ? '!' : '') + relative;
}

function readOptional(file: string): string | undefined {
  try {
    return decodeName(fs.readFileSync(file));
  } catch (cause) {
    if (['ENOENT', 'EISDIR', 'ENOTDIR'].includes(errnoOf(cause) ?? '')) return undefined;
    throw new TsbuildError('CONTEXT', `read ${file}`, { cause });
  }
}
