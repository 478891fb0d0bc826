/**
 * The Dockerfile language: text in, typed data out. Pure; nothing here reads a file or knows what a stage builds.
 *
 * Two levels. {@link parseSyntax} is lenient and says what is written (syntax.ts); {@link parseDockerfile} goes on to the
 * typed {@link Instruction}s (instruction.ts), refusing what a build refuses: unknown words, wrong counts, unknown flags.
 * Beside them stand words.ts (`$NAME`, quotes, escapes), stages.ts (who refers to whom), mount.ts, and lint/ (build checks).
 *
 * Words used throughout:
 *  - *physical line*: what stands between line feeds; *logical line*: an instruction with its continuations joined;
 *  - *flag*: a leading `--name=value`; *form*: exec (a JSON array) or shell (a command line);
 *  - *expand*: substitute variables and remove quotes; nothing at these two levels is expanded.
 *
 * @example
 * const dockerfile = parseDockerfile('FROM busybox\nRUN make', { file: 'Dockerfile' });
 * for (const stage of splitStages(dockerfile).stages) …
 */
import { isUtf8 } from 'node:buffer';
import type { SourceLocation } from '../errors.ts';
import type { Instruction } from './instruction.ts';
import { readSyntax } from './read-syntax.ts';
import type { SyntaxNode, SyntaxTree } from './syntax.ts';
import { locateSyntaxError, SyntaxFault, sourceLocation } from './syntax-error.ts';
import { readInstruction } from './typed.ts';

export { parseOnbuildTrigger } from './onbuild.ts';

export interface ParseOptions {
  /** The name that errors show. */
  readonly file?: string;
}

export interface Dockerfile extends SyntaxTree {
  readonly file: string;
  /** Of the nodes, each of its own. */
  readonly instructions: readonly Instruction[];
}

const DEFAULT_FILE = 'Dockerfile';

/** Reads a Dockerfile. Throws `DOCKERFILE_PARSE` with its place. */
export function parseDockerfile(
  source: string | Uint8Array,
  options: ParseOptions = {},
): Dockerfile {
  const file = options.file ?? DEFAULT_FILE;
  const tree = parseSyntax(source, options);
  const instructions = tree.nodes.map((node) =>
    typeNode(node, sourceLocation(file, tree.lines, node.line, node.endLine)),
  );
  return { file, ...tree, instructions };
}

/** Reads what a Dockerfile says without judging it. Throws `DOCKERFILE_PARSE` for what no reader may accept. */
export function parseSyntax(source: string | Uint8Array, options: ParseOptions = {}): SyntaxTree {
  const text = typeof source === 'string' ? source : decode(source);
  try {
    return readSyntax(text, linesNotUtf8(source));
  } catch (error) {
    if (!(error instanceof SyntaxFault)) throw error;
    const { line = 1, endLine = line } = error;
    const lines = text.split(/\r*\n/);
    throw locateSyntaxError(
      error,
      sourceLocation(options.file ?? DEFAULT_FILE, lines, line, endLine),
    );
  }
}

function decode(bytes: Uint8Array): string {
  // The byte order mark is left to the reader, which has to know it in strings too.
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

function linesNotUtf8(source: string | Uint8Array): ReadonlySet<number> {
  const lines = new Set<number>();
  if (typeof source === 'string' || isUtf8(source)) return lines;
  for (let line = 1, start = 0; start < source.length; line += 1) {
    const feed = source.indexOf(0x0a, start);
    const end = feed < 0 ? source.length : feed;
    if (!isUtf8(source.subarray(start, end))) lines.add(line);
    start = end + 1;
  }
  return lines;
}

/** Gives a node its type. Throws `DOCKERFILE_PARSE`. */
export function typeNode(node: SyntaxNode, location: SourceLocation): Instruction {
  try {
    return readInstruction(node, location);
  } catch (error) {
    throw locateSyntaxError(error, location);
  }
}
