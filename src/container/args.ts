/**
 * The command of a container:
 * https://docs.docker.com/reference/dockerfile/#understand-how-cmd-and-entrypoint-interact
 */
import { TsbuildError } from '../errors.ts';
import type { RunConfig } from '../oci/config.ts';

export interface CommandOptions {
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
}

/** @throws TsbuildError `USAGE` if nothing says what to run. */
export function containerArgs(config: RunConfig, options: CommandOptions): readonly string[] {
  // The image's Cmd are arguments for the image's Entrypoint, and mean nothing to another.
  const defaults = options.entrypoint === undefined ? (config.Cmd ?? []) : [];
  const entrypoint = options.entrypoint ?? config.Entrypoint ?? [];
  const args = [...entrypoint, ...(options.command ?? defaults)];
  if (args.length > 0) return args;
  throw new TsbuildError('USAGE', 'run a container: no command was given, and the image has none', {
    hint: 'name a command behind the image, or give the image a CMD or ENTRYPOINT',
  });
}
