/**
 * The command line: argv in, exit status out. It is a caller of the public API like any other: each command turns its
 * flags into the plain options of `options.ts`, attaches a progress display to the operation, and prints the result.
 *
 * One file a command in `commands/`, each holding data (flags, synopsis, examples) and one function. `commands.ts` lists
 * them by name and imports only the chosen one, so that `--version` and a build in which nothing changed load almost
 * nothing. Flags follow docker's habits (flags.ts). Results go to stdout and everything else to stderr; errors are shown
 * by show-error.ts, and their exit statuses are those of `errors.ts`.
 */
import type { Readable, Writable } from 'node:stream';
import type { FlagTable, FlagValues } from './flags.ts';

export type OutputStream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** What a command may touch of the process it runs in. */
export interface CommandContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP, unless the command takes signals itself. */
  readonly signal: AbortSignal;
  /** From now on signals go to `handler` instead of aborting. */
  takeSignals(handler: (signal: NodeJS.Signals) => void): void;
  /** Changes what happens when the command fails. */
  onFailure(handling: FailureHandling): void;
}

export interface FailureHandling {
  /** The error as written to stderr, instead of the text for people. */
  readonly format?: (error: unknown) => string;
  /** The exit status, instead of the one in `errors.ts`. */
  readonly status?: (error: unknown) => number;
}

export interface Example {
  readonly command: string;
  readonly does: string;
}

export interface Command<F extends FlagTable = FlagTable> {
  /** As typed after `tsbuild`; may be two words. */
  readonly name: string;
  /** What follows the name in the usage line. */
  readonly synopsis: string;
  /** One or two sentences. */
  readonly about: string;
  /** Paragraphs for the help, after the flags. */
  readonly notes?: string;
  readonly flags: F;
  readonly examples: readonly Example[];
  /** How many arguments it takes. */
  readonly args: { readonly min: number; readonly max: number };
  /** Flags end at the first argument: what follows belongs to someone else (`run`). */
  readonly flagsFirst?: boolean;
  /** Exit status for an error, where it is not the one in `errors.ts`. */
  readonly failureStatus?: (error: unknown) => number;
  /** Resolves with the exit status; nothing means 0. */
  run(
    input: { readonly flags: FlagValues<F>; readonly args: readonly string[] },
    context: CommandContext,
    // biome-ignore lint/suspicious/noConfusingVoidType: most commands end without a word
  ): Promise<number | void>;
}

/** Gives the literal types of the flag table to `run`. */
export function defineCommand<const F extends FlagTable>(command: Command<F>): Command<F> {
  return command;
}
