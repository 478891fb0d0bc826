/**
 * Errors as people read them: what happened, where, with the source line and a mark, the last lines of a failed RUN, and
 * what to do next. Names in messages may come from hostile archives or registries, so control characters never reach
 * the terminal.
 *
 *     error: the command ended with exit status 2 [RUN_FAILED]
 *       --> Dockerfile:3
 *        |
 *      3 | RUN make
 *        | ^^^^^^^^
 *       in [build 3/7] RUN make
 *        | make: *** No rule to make target 'all'.  Stop.
 *     hint: …
 */
import {
  isTsbuildError,
  type RunError,
  type SourceLocation,
  type TsbuildError,
} from '../errors.ts';

export interface ShowErrorOptions {
  /** Adds the stack, and the stacks of the causes. */
  readonly debug?: boolean;
  readonly color?: boolean;
}

export function showError(error: unknown, options: ShowErrorOptions = {}): string {
  const style = options.color ? COLORS : PLAIN;
  const ours = isTsbuildError(error) ? error : undefined;
  const message = error instanceof Error ? error.message : String(error);
  const code = ours?.code ?? 'INTERNAL';
  const lines = [
    `${style.error('error:')} ${printable(message)} ${style.dim(`[${code}]`)}`,
    ...causes(error, message).map((cause) => `  caused by: ${printable(cause)}`),
  ];
  if (ours?.location !== undefined) lines.push(...excerpt(ours.location, style));
  if (ours?.step !== undefined) lines.push(`  in ${printable(oneLine(ours.step))}`);
  if (isRunError(ours)) lines.push(...ours.logTail.map((line) => `   | ${printable(line)}`));
  const hint = ours === undefined && !options.debug ? UNEXPECTED : ours?.hint;
  if (hint !== undefined) lines.push(`${style.hint('hint:')} ${printable(hint)}`);
  if (options.debug) lines.push(...stacks(error));
  return `${lines.join('\n')}\n`;
}

/** The same as one JSON object, for `--progress=json`. */
export function errorAsJson(error: unknown): string {
  const ours = isTsbuildError(error) ? error : undefined;
  const message = error instanceof Error ? error.message : String(error);
  const { code = 'INTERNAL', hint, location, step } = ours ?? {};
  const run = isRunError(ours) ? { exitCode: ours.exitCode, logTail: ours.logTail } : {};
  return `${JSON.stringify({ type: 'error', code, message, hint, location, step, ...run })}\n`;
}

const UNEXPECTED =
  'this is a bug in tsbuild; run the command again with --debug and report what it prints';

interface Style {
  error(text: string): string;
  hint(text: string): string;
  dim(text: string): string;
  mark(text: string): string;
}

const same = (text: string): string => text;
const sgr = (code: number) => (text: string) => `\x1b[${code}m${text}\x1b[0m`;
const PLAIN: Style = { error: same, hint: same, dim: same, mark: same };
const COLORS: Style = { error: sgr(31), hint: sgr(36), dim: sgr(2), mark: sgr(31) };

function excerpt(location: SourceLocation, style: Style): string[] {
  const { file, line, column, lineText, subject } = location;
  const place = `  --> ${printable(file)}:${line}${column === undefined ? '' : `:${column}`}`;
  if (lineText === undefined) return [place];
  const number = String(line).padStart(4);
  const gutter = `${' '.repeat(number.length)} |`;
  return [
    place,
    gutter,
    `${number} | ${printable(lineText)}`,
    `${gutter} ${style.mark(marker(lineText, column, subject))}`,
  ];
}

/** Carets under the word at `column` if that is known, else under the whole text of the line. */
function marker(text: string, column: number | undefined, subject = ' '): string {
  const from = column === undefined ? text.length - text.trimStart().length : column - 1;
  const length = column === undefined ? text.trim().length : subject.length;
  const before = text.slice(0, from).replace(/[^\t]/g, ' ');
  return `${before}${'^'.repeat(Math.max(1, Math.min(length, 100)))}`;
}

/** Messages of the chain of causes that say more than what is above them. */
function causes(error: unknown, shown: string): string[] {
  const found: string[] = [];
  let text = shown;
  for (const cause of chain(error)) {
    const message = cause instanceof Error ? cause.message : String(cause);
    if (message !== '' && !text.includes(message)) found.push(message);
    text += `\n${message}`;
  }
  return found;
}

function* chain(error: unknown): Generator<unknown> {
  let cause = error instanceof Error ? error.cause : undefined;
  for (let depth = 0; cause !== undefined && depth < 8; depth++) {
    yield cause;
    cause = cause instanceof Error ? cause.cause : undefined;
  }
}

function stacks(error: unknown): string[] {
  return [error, ...chain(error)].map((each) => {
    const fields = isTsbuildError(each) ? ` (retryable: ${each.retryable})` : '';
    return each instanceof Error ? `${each.stack ?? each.message}${fields}` : String(each);
  });
}

function isRunError(error: TsbuildError | undefined): error is RunError {
  return error !== undefined && 'logTail' in error && Array.isArray(error.logTail);
}

function oneLine(text: string): string {
  return text.split('\n', 1)[0]!;
}

/** Control characters as `\xNN`: an escape sequence in a file name must not move the cursor. */
export function printable(text: string): string {
  return text.replace(
    /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g,
    (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
