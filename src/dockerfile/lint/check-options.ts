/** What `# check=skip=…;error=true;experimental=…` asks for, or the build argument that stands in for it. */
import { TsbuildError } from '../../errors.ts';
import { DirectiveReader } from '../directives.ts';
import type { SyntaxTree } from '../syntax.ts';
import type { Rule } from './rule.ts';

export interface CheckOptions {
  readonly skip: readonly string[];
  readonly experimental: readonly string[];
  /** Warnings end the build. */
  readonly error: boolean;
}

/** Replaces the directive as a whole. */
const BUILD_ARGUMENT = 'BUILDKIT_DOCKERFILE_CHECK';

/** Throws `DOCKERFILE_PARSE` for an option that does not exist. */
export function checkOptions(
  tree: SyntaxTree,
  buildArgs: Readonly<Record<string, string>>,
): CheckOptions {
  const given = Object.hasOwn(buildArgs, BUILD_ARGUMENT) ? buildArgs[BUILD_ARGUMENT] : undefined;
  // The value ends at the first blank.
  return parseCheckOptions(given ?? directiveValue(tree)?.split(' ', 1)[0] ?? '');
}

export function isEnabled({ name, experimental }: Rule, options: CheckOptions): boolean {
  if (experimental) return lists(options.experimental, name);
  return !lists(options.skip, name);
}

function lists(names: readonly string[], name: string): boolean {
  return names.includes('all') || names.includes(name);
}

/** For checks, unlike for the parser, a first line `#!…` may stand before the directives. */
function directiveValue({ directives, lines }: SyntaxTree): string | undefined {
  if (!lines[0]?.startsWith('#!')) return directives.check?.value;
  const reader = new DirectiveReader();
  lines.slice(1).every((line, index) => reader.read(line.trimStart(), index + 2));
  return reader.found.check?.value;
}

function parseCheckOptions(text: string): CheckOptions {
  const options = { skip: [] as string[], experimental: [] as string[], error: false };
  if (text === '') return options;
  for (const part of text.split(';')) {
    const [key = '', value] = cut(part);
    if (value === undefined) throw invalid(part);
    if (key === 'skip' || key === 'experimental') {
      options[key] = value.split(',').map((name) => name.trim());
    } else if (key === 'error') {
      options.error = parseBoolean(part, value);
    } else {
      throw invalid(key);
    }
  }
  return options;
}

function cut(part: string): [key: string, value?: string] {
  const equals = part.indexOf('=');
  if (equals === -1) return [part.trim()];
  return [part.slice(0, equals).trim(), part.slice(equals + 1)];
}

function parseBoolean(part: string, value: string): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw invalid(part);
}

function invalid(part: string): TsbuildError {
  return new TsbuildError(
    'DOCKERFILE_PARSE',
    `failed to parse check options: invalid check option ${JSON.stringify(part)}`,
    {
      hint: 'the options are skip=RULE,…, experimental=RULE,… and error=true, with ; between them',
    },
  );
}
