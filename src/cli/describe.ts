/** `--call` and `--check`: what the Dockerfile says, instead of a build of it. */

import { lintToJson } from '../dockerfile/lint/format-json.ts';
import type { LintResult } from '../dockerfile/lint/lint.ts';
import { ERROR_CODES, exitStatus } from '../errors.ts';
import { check } from '../index.ts';
import type { BuildOptions } from '../options.ts';
import type { CommandContext } from './command.ts';
import { usage } from './flags.ts';
import { parseFields } from './values.ts';

const METHODS: readonly string[] = ['check', 'build'];

/** Prints the description and returns the exit status. @throws TsbuildError `USAGE` */
export async function describe(
  call: string,
  options: BuildOptions,
  context: CommandContext,
): Promise<number> {
  const [method = '', ...fields] = call.split(',');
  if (!METHODS.includes(method)) {
    throw usage(`flag --call: unknown method ${JSON.stringify(method)}`, 'use check');
  }
  const format =
    fields.length === 0 ? 'text' : (parseFields(fields.join(','), 'call').get('format') ?? 'text');
  if (format !== 'json' && format !== 'text')
    throw usage(`flag --call: unknown format ${JSON.stringify(format)}`);
  const result = await check(options);
  context.stdout.write(
    format === 'json' ? `${JSON.stringify(lintToJson(result), null, 2)}\n` : lintText(result),
  );
  if (result.error !== undefined) return exitStatus(result.error);
  return result.warnings.length > 0 ? ERROR_CODES.CHECK_FAILED.exit : 0;
}

function lintText({ warnings, error }: LintResult): string {
  const count = warnings.length;
  const parts = [
    count === 0 && error === undefined
      ? 'Check complete, no warnings found.'
      : `Check complete, ${count} warning${count === 1 ? ' has' : 's have'} been found.`,
  ];
  for (const { ruleName, url, description, detail, location } of warnings) {
    parts.push(
      `\nWARNING: ${ruleName} - ${url}\n${description}\n${detail}\n  --> ${location.file}:${location.line}\n   ${location.line} | ${location.lineText ?? ''}`,
    );
  }
  if (error !== undefined) {
    const place =
      error.location === undefined
        ? ''
        : `\n  --> ${error.location.file}:${error.location.line}\n   ${error.location.line} | ${error.location.lineText ?? ''}`;
    parts.push(`\nERROR: ${error.message}${place}`);
  }
  return `${parts.join('\n')}\n`;
}
