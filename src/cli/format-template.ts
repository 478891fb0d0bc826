/**
 * `--format` of docker's commands: the part of Go's templates that scripts use. Paths (`{{.Config.Env}}`), the functions
 * json, index, join, len, lower, upper and println, `if`/`else`, `range`, and text between them.
 * https://docs.docker.com/engine/cli/formatting/
 */
import { TsbuildError } from '../errors.ts';

type Node = { readonly text: string } | { readonly value: Expression } | Block;

interface Block {
  readonly block: 'if' | 'range';
  readonly of: Expression;
  readonly body: Node[];
  readonly other: Node[];
}

/** A function or nothing, and what it is given. */
interface Expression {
  readonly call: string | undefined;
  readonly operands: readonly string[];
}

/** A dash in them takes away the white space on its side, and has some on the other: `{{-1}}` is a number. */
const BRACES = /(?:\s*\{\{-(?=\s)|\{\{)\s*(.*?)\s*(?:(?<=\s)-\}\}\s*|\}\})/s;
const WORD = /"(?:[^"\\]|\\.)*"|`[^`]*`|[^\s"`]+/g;

/** @throws TsbuildError `USAGE` for what is no template of this kind */
export function parseTemplate(text: string): (data: unknown) => string {
  const nodes = readNodes(text.split(BRACES).entries(), text);
  return (data) => render(nodes, data);
}

/** Text and what stands in braces come by turns. */
function readNodes(
  parts: IterableIterator<[number, string]>,
  template: string,
  block?: Block,
): Node[] {
  const nodes: Node[] = [];
  let current = block?.body ?? nodes;
  for (const [at, part] of parts) {
    const words = part.match(WORD) ?? [];
    if (at % 2 === 0 && part.includes('{{')) throw refused(template, 'its braces are not closed');
    else if (at % 2 === 0) current.push({ text: withBreaks(part) });
    else if (block && part === 'end') return nodes;
    else if (block && part === 'else') current = block.other;
    else if (words[0] === 'if' || words[0] === 'range') {
      const of = expression(words.slice(1), template);
      const inner: Block = { block: words[0], of, body: [], other: [] };
      current.push(inner);
      readNodes(parts, template, inner);
    } else current.push({ value: expression(words, template) });
  }
  if (block) throw refused(template, `its ${block.block} has no end`);
  return nodes;
}

/** Docker's tables have `\t` and `\n` in the text of a template. */
function withBreaks(text: string): string {
  return text.replace(/\\([nt])/g, (_, letter) => (letter === 'n' ? '\n' : '\t'));
}

function expression(words: readonly string[], template: string): Expression {
  const [first = ''] = words;
  const call = Object.hasOwn(FUNCTIONS, first) ? first : undefined;
  const operands = call === undefined ? words : words.slice(1);
  const known = operands.every((word) => /^(\.|\$\.|\$$|["`]|-?\d+$)/.test(word));
  const isText = operands.every((word) => !word.startsWith('"') || quoted(word) !== undefined);
  if (!known || !isText || operands.length === 0 || (call === undefined && operands.length > 1))
    throw refused(template, `{{${words.join(' ')}}} is not understood`);
  return { call, operands };
}

function refused(template: string, why: string): TsbuildError {
  return new TsbuildError('USAGE', `--format ${JSON.stringify(template.slice(0, 200))}: ${why}`, {
    hint: `it takes paths as {{.Config.Env}}, and ${Object.keys(FUNCTIONS).join(', ')}, if and range`,
  });
}

function render(nodes: readonly Node[], data: unknown): string {
  return nodes
    .map((node) => {
      if ('text' in node) return node.text;
      if ('value' in node) return shown(evaluate(node.value, data));
      const value = evaluate(node.of, data);
      if (node.block === 'if') return render(isTrue(value) ? node.body : node.other, data);
      const items = Object.values((value ?? {}) as object);
      if (items.length === 0) return render(node.other, data);
      return items.map((item) => render(node.body, item)).join('');
    })
    .join('');
}

function evaluate({ call, operands }: Expression, data: unknown): unknown {
  const [first, ...rest] = operands.map((word) => operand(word, data));
  return call === undefined ? first : FUNCTIONS[call]!(first, rest);
}

function operand(word: string, data: unknown): unknown {
  if (word.startsWith('"')) return quoted(word);
  if (word.startsWith('`')) return word.slice(1, -1);
  if (/^-?\d+$/.test(word)) return Number(word);
  return word.replace(/^\$/, '').split('.').filter(Boolean).reduce(member, data);
}

/** A string with the escapes that JSON has, too; `undefined` for one with others. */
function quoted(word: string): string | undefined {
  try {
    return JSON.parse(word.replaceAll('\t', '\\t'));
  } catch {
    return undefined;
  }
}

function member(value: unknown, name: unknown): unknown {
  const isHolder = typeof value === 'object' && value !== null;
  return isHolder && Object.hasOwn(value, String(name))
    ? (value as Record<string, unknown>)[String(name)]
    : undefined;
}

/** A list has no element where it ends; a map may lack one. */
function element(value: unknown, key: unknown): unknown {
  if (!Array.isArray(value) || Object.hasOwn(value, String(key))) return member(value, key);
  throw new TsbuildError('USAGE', `--format: a list of ${value.length} has no element ${key}`);
}

const FUNCTIONS: Readonly<Record<string, (value: unknown, rest: readonly unknown[]) => unknown>> = {
  json: (value) => JSON.stringify(value ?? null),
  index: (value, keys) => keys.reduce(element, value),
  join: (value, [separator]) => Object.values((value ?? {}) as object).join(String(separator)),
  len: (value) => (typeof value === 'string' ? value.length : Object.keys(value ?? {}).length),
  lower: (value) => String(value).toLowerCase(),
  upper: (value) => String(value).toUpperCase(),
  println: (value) => `${shown(value)}\n`,
};

function isTrue(value: unknown): boolean {
  return typeof value === 'object' && value !== null
    ? Object.keys(value).length > 0
    : Boolean(value);
}

/** As Go prints values. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return '<no value>';
  if (Array.isArray(value)) return `[${value.map(shown).join(' ')}]`;
  if (typeof value !== 'object') return String(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[${members.map(([name, each]) => `${name}:${shown(each)}`).join(' ')}]`;
}
