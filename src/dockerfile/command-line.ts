import type { CommandLine } from './instruction.ts';
import type { RawArguments } from './syntax.ts';

/** The command of a RUN, CMD, ENTRYPOINT or HEALTHCHECK; none at all is an empty line for the shell. */
export function commandLine({ form, args }: Pick<RawArguments, 'form' | 'args'>): CommandLine {
  return form === 'exec' ? { form, args } : { form: 'shell', line: args.join(' ') };
}
