/**
 * The syntactic level: what a Dockerfile says before any stage, variable or file is looked at. It is lenient, for it
 * judges neither the instruction words nor the number of arguments; {@link ./instruction.ts} is the typed level above.
 */
import type { Heredoc } from './heredoc.ts';

export type { Heredoc };

/** `exec` for a JSON array of strings, `shell` for a command line, `none` for everything that is neither. */
export type ArgumentForm = 'exec' | 'shell' | 'none';

/** One `KEY=VALUE` word of ENV or LABEL, or the whole of the old `KEY VALUE` form, as written. */
export interface RawPair {
  readonly key: string;
  readonly value: string;
  readonly separator: '=' | '';
}

/** What follows the instruction word and its flags. */
export interface RawArguments {
  readonly form: ArgumentForm;
  readonly args: readonly string[];
  /** ENV and LABEL. */
  readonly pairs?: readonly RawPair[];
}

export interface SyntaxNode extends RawArguments {
  /** The instruction word as written. */
  readonly name: string;
  /** The line on which the instruction word stands, counted from 1. */
  readonly line: number;
  /** The last line, with continuation lines and the ends of here-documents. */
  readonly endLine: number;
  /** Leading words that begin with `--`, without quotes and escapes. */
  readonly flags: readonly string[];
  /** ONBUILD: the instruction it holds. Its here-documents are listed here, not there. */
  readonly trigger?: SyntaxNode;
  readonly heredocs: readonly Heredoc[];
  /** The logical line: continuation lines joined, comment lines inside it dropped. */
  readonly raw: string;
  /** The comment lines since the instruction before, without `#`: descriptions of stages and arguments. */
  readonly comments: readonly string[];
  /** Present if an empty line stands inside the continuation: the last line of that, here-documents not counted. */
  readonly emptyContinuation?: number;
}

export type EscapeCharacter = '\\' | '`';

export interface Directive {
  readonly value: string;
  readonly line: number;
}

export interface SyntaxTree {
  readonly escape: EscapeCharacter;
  /** Parser directives by lower-case name. */
  readonly directives: Readonly<Partial<Record<'syntax' | 'escape' | 'check', Directive>>>;
  readonly nodes: readonly SyntaxNode[];
  /** Physical lines, without their ends. */
  readonly lines: readonly string[];
  /** Lines, counted from 1, with bytes that are no UTF-8. They are read as U+FFFD, which a RUN may not hold. */
  readonly notUtf8: ReadonlySet<number>;
}
