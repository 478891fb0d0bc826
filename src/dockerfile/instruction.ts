/**
 * The typed level: each instruction as data, its arguments counted and its flags checked as a build checks them.
 *
 * Words that are expanded later (by the stage, with its variables) stay raw strings here, quotes and all; so do mounts,
 * whose options may hold variables ({@link ./mount.ts} reads them after expansion). What cannot hold a variable is parsed:
 * durations, booleans, stage names, JSON arrays.
 */
import type { SourceLocation } from '../errors.ts';
import type { Heredoc, RawPair } from './syntax.ts';

export type Instruction =
  | From
  | Add
  | Arg
  | Cmd
  | Copy
  | Entrypoint
  | Env
  | Expose
  | Healthcheck
  | Label
  | Maintainer
  | OnBuild
  | Run
  | Shell
  | StopSignal
  | User
  | Volume
  | Workdir;

export type InstructionKind = Instruction['kind'];

/** What every instruction has. */
export interface Written {
  readonly location: SourceLocation;
  /** The logical line as written. */
  readonly original: string;
  /** The instruction word as written. */
  readonly name: string;
  /** The comment lines since the instruction before, without `#`. */
  readonly comments: readonly string[];
}

export interface From extends Written {
  readonly kind: 'from';
  /** The image or stage as written. */
  readonly base: string;
  readonly platform?: string;
  /** The name after AS, in lower case. */
  readonly stageName?: string;
  /** The words as written: the name and the AS before they are folded. */
  readonly words: readonly string[];
}

/** The command of RUN, CMD, ENTRYPOINT and HEALTHCHECK: words to execute, or one line for the shell. */
export type CommandLine =
  | { readonly form: 'exec'; readonly args: readonly string[] }
  | { readonly form: 'shell'; readonly line: string };

export interface Run extends Written {
  readonly kind: 'run';
  readonly command: CommandLine;
  /** Each `--mount` value, for `parseMount` after expansion. */
  readonly mounts: readonly string[];
  readonly network: 'default' | 'none' | 'host';
  readonly security: 'sandbox' | 'insecure';
  readonly devices: readonly string[];
  readonly heredocs: readonly Heredoc[];
}

/** A file whose content stands in the Dockerfile, as a here-document. */
export interface InlineFile {
  readonly name: string;
  /** The content, tabs stripped where `<<-` asks for it, not expanded. */
  readonly content: string;
  readonly expand: boolean;
}

interface Transfer extends Written {
  /** Raw words; here-document markers are in `inlineFiles`. */
  readonly sources: readonly string[];
  readonly inlineFiles: readonly InlineFile[];
  readonly destination: string;
  readonly chown?: string;
  readonly chmod?: string;
  readonly link: boolean;
  readonly exclude: readonly string[];
}

export interface Copy extends Transfer {
  readonly kind: 'copy';
  readonly from?: string;
  readonly parents: boolean;
}

export interface Add extends Transfer {
  readonly kind: 'add';
  readonly checksum?: string;
  /** Absent: as the URL says. */
  readonly keepGitDir?: boolean;
  /** Absent: local archives are unpacked and remote ones not. */
  readonly unpack?: boolean;
}

export interface Argument {
  readonly name: string;
  readonly value?: string;
}

export interface Arg extends Written {
  readonly kind: 'arg';
  readonly args: readonly Argument[];
}

export interface Env extends Written {
  readonly kind: 'env';
  readonly pairs: readonly RawPair[];
}

export interface Label extends Written {
  readonly kind: 'label';
  readonly pairs: readonly RawPair[];
}

export interface Cmd extends Written {
  readonly kind: 'cmd';
  readonly command: CommandLine;
}

export interface Entrypoint extends Written {
  readonly kind: 'entrypoint';
  readonly command: CommandLine;
}

export interface Shell extends Written {
  readonly kind: 'shell';
  readonly args: readonly string[];
}

export interface Workdir extends Written {
  readonly kind: 'workdir';
  readonly path: string;
}

export interface User extends Written {
  readonly kind: 'user';
  readonly user: string;
}

export interface Expose extends Written {
  readonly kind: 'expose';
  readonly ports: readonly string[];
}

export interface Volume extends Written {
  readonly kind: 'volume';
  readonly paths: readonly string[];
}

export interface StopSignal extends Written {
  readonly kind: 'stopsignal';
  readonly signal: string;
}

export interface Maintainer extends Written {
  readonly kind: 'maintainer';
  readonly author: string;
}

export interface Healthcheck extends Written {
  readonly kind: 'healthcheck';
  /** Absent for NONE. */
  readonly command?: CommandLine;
  /** Durations in nanoseconds; 0 is "not said". */
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
}

export interface OnBuild extends Written {
  readonly kind: 'onbuild';
  /** The trigger as the image keeps it: one instruction, with its here-documents. */
  readonly trigger: string;
}
