/**
 * Build checks: what is allowed and yet likely a mistake. The rules are those of Docker's reference, with its names,
 * sentences and places, so that a warning means the same under both tools.
 * https://docs.docker.com/reference/build-checks/
 *
 * A rule is data and, for each sight of the Dockerfile that it needs, a function; a rule keeps no state. There is one file
 * for each; rules.ts lists them. What a rule sees is shown to it by the walk (lint.ts), which follows the build: first the
 * text, then each instruction, the stages, their FROMs, and at last the instructions with the variables that they see. An
 * error ends the walk, and what would have been found behind it is not reported.
 */
import type { SourceLocation } from '../../errors.ts';
import type { From, Instruction } from '../instruction.ts';
import type { Stage } from '../stages.ts';
import type { SyntaxNode } from '../syntax.ts';
import type { ExpandedWord } from '../words.ts';

export interface Rule {
  readonly name: string;
  readonly description: string;
  /** The last part of the address of its page. */
  readonly page: string;
  /** Checked only where the Dockerfile or the build asks for it. */
  readonly experimental?: true;
  /** Before anything is judged; only the syntax is known to be sound. */
  readonly checkText?: (node: SyntaxNode, report: LineReport) => void;
  /** Before the instruction's arguments are counted. */
  readonly checkNode?: (node: SyntaxNode, report: Report) => void;
  /** When all instructions are known to be valid. */
  readonly checkStages?: (stages: readonly Stage[], report: PlacedReport) => void;
  /** Each name of a stage, and those before it. */
  readonly checkStageName?: (name: string, earlier: ReadonlySet<string>, report: Report) => void;
  /** Each FROM, as it would be without build arguments. */
  readonly checkDefaultBase?: (base: DefaultBase, report: Report) => void;
  /** Each word of a FROM that may hold variables. */
  readonly checkFromWord?: (sight: FromWord, report: Report) => void;
  /** The variables that one instruction's words refer to. Shown also when the words cannot be expanded. */
  readonly checkVariables?: (variables: Variables, report: Report) => void;
  /** Each instruction of a stage that is looked at, in the state in which it is met. */
  readonly checkStep?: (step: Step, report: PlacedReport) => void;
}

/** What a rule may look at. */
export type Sight = Extract<keyof Rule, `check${string}`>;

/** Reports at the place of what is looked at. */
export type Report = (detail: string) => void;
/** Reports at a given place; that of what is looked at by default. */
export type PlacedReport = (detail: string, location?: SourceLocation) => void;
export type LineReport = (detail: string, line: number) => void;

export interface DefaultBase {
  readonly from: From;
  readonly name: string;
  /** Whether the name can be that of an image. */
  readonly isImageName: boolean;
}

export interface FromWord {
  readonly from: From;
  readonly word: ExpandedWord;
  /** Names declared before the first FROM, with a value or not, and predefined ones. */
  readonly declared: ReadonlySet<string>;
  /** Present if the word is that of `--platform`. */
  readonly platform?: PlatformFacts;
}

export interface PlatformFacts {
  /** As written. */
  readonly raw: string;
  /** The value of `TARGETPLATFORM`. */
  readonly target: string | undefined;
  /** Absent if it is no platform. */
  readonly parsed?: { readonly os: string; readonly architecture: string };
}

export interface Variables {
  /** Those that are not set, word by word. */
  readonly unset: readonly ReadonlySet<string>[];
  /** Those that are. */
  readonly env: Readonly<Record<string, string>>;
  /** ARGs declared so far, with a value or not. */
  readonly declared: ReadonlySet<string>;
}

export interface Step {
  /** With its words expanded; those of EXPOSE also divided, and sorted. Of an ARG, one argument at a time. */
  readonly instruction: Instruction;
  /** The instructions of this stage before it. */
  readonly previous: readonly Instruction[];
  /** Whether a WORKDIR was met, in this stage or one that it is based on. */
  readonly hasWorkdir: boolean;
  /** Whether a SHELL is in force. */
  readonly hasShell: boolean;
  /** Whether `.dockerignore` leaves a path out of the context. */
  readonly isIgnored: (path: string) => boolean;
}

export interface Warning {
  readonly ruleName: string;
  readonly description: string;
  readonly url: string;
  readonly detail: string;
  readonly location: SourceLocation;
}
