/** `--call` and `--check`: what the Dockerfile says, instead of a build of it. */

import { lintToJson } from '../dockerfile/lint/format-json.ts';
import type { LintResult } from '../dockerfile/lint/lint.ts';
import { ERROR_CODES, exitStatus } from '../errors.ts';
import {
  check,
  type Outline,
  type OutlineRow,
  outline,
  type TargetRow,
  targets,
} from '../index.ts';
import type { BuildOptions } from '../options.ts';
import type { CommandContext } from './command.ts';
import { usage } from './flags.ts';
import { formatTable } from './table.ts';
import { parseFields } from './values.ts';

const METHODS: readonly string[] = ['check', 'outline', 'targets'];

/** Prints the description and returns the exit status. @throws TsbuildError `USAGE` */
export async function describe(
  call: string,
  options: BuildOptions,
  context: CommandContext,
): Promise<number> {
  const [method = '', ...fields] = call.split(',');
  if (!METHODS.includes(method)) {
    throw usage(
      `flag --call: unknown method ${JSON.stringify(method)}`,
      `use one of ${METHODS.join(', ')}`,
    );
  }
  const format =
    fields.length === 0 ? 'text' : (parseFields(fields.join(','), 'call').get('format') ?? 'text');
  if (format !== 'json' && format !== 'text')
    throw usage(`flag --call: unknown format ${JSON.stringify(format)}`);
  const print = (value: unknown, text: string) =>
    context.stdout.write(format === 'json' ? `${JSON.stringify(value, null, 2)}\n` : text);
  if (method === 'targets') {
    const rows = await targets(options);
    print({ targets: rows }, targetsText(rows));
    return 0;
  }
  if (method === 'outline') {
    const described = await outline(options);
    print(withoutEmpty(described), outlineText(described));
    return 0;
  }
  const result = await check(options);
  print(lintToJson(result), lintText(result));
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

function withoutEmpty(value: Outline): object {
  return Object.fromEntries(
    Object.entries(value).filter(([, member]) => !Array.isArray(member) || member.length > 0),
  );
}

function targetsText(rows: readonly TargetRow[]): string {
  const name = (row: TargetRow) =>
    [row.name, row.default ? '(default)' : undefined].filter(Boolean).join(' ');
  return formatTable(rows, [
    { title: 'TARGET', value: name },
    { title: 'DESCRIPTION', value: (row) => row.description ?? '' },
  ]);
}

function outlineText({ name, description, args, secrets, ssh }: Outline): string {
  const head = [
    ...(name ? [`TARGET:      ${name}`] : []),
    ...(description ? [`DESCRIPTION: ${description}`] : []),
  ];
  const required = { title: 'REQUIRED', value: (row: OutlineRow) => (row.required ? 'true' : '') };
  const nameOf = (title: string) => ({ title, value: (row: OutlineRow) => row.name });
  const argColumns = [
    nameOf('BUILD ARG'),
    { title: 'VALUE', value: (row: OutlineRow) => row.value ?? '' },
    { title: 'DESCRIPTION', value: (row: OutlineRow) => row.description ?? '' },
  ];
  return [
    ...(head.length > 0 ? [`${head.join('\n')}\n`] : []),
    ...(args.length > 0 ? [formatTable(args, argColumns)] : []),
    ...(secrets.length > 0 ? [formatTable(secrets, [nameOf('SECRET'), required])] : []),
    ...(ssh.length > 0 ? [formatTable(ssh, [nameOf('SSH'), required])] : []),
  ].join('\n');
}
