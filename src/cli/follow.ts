/** Shows the progress of an operation while it runs. */
import type { Operation } from '../options.ts';
import { createProgress, type ProgressMode } from '../progress/progress.ts';
import type { CommandContext } from './command.ts';
import { type Flag, usage } from './flags.ts';
import { errorAsJson } from './show-error.ts';

export const PROGRESS_FLAG = {
  type: 'string',
  choices: ['auto', 'tty', 'plain', 'json', 'quiet'],
  help: 'How progress is shown, on stderr (default: auto)',
} as const satisfies Flag;

export interface FollowOptions {
  /** `--progress`. */
  readonly progress: string | undefined;
  /** `--quiet`. */
  readonly quiet?: boolean | undefined;
}

/** Settles as the operation does, with the display closed. */
export async function follow<T>(
  operation: Operation<T>,
  context: CommandContext,
  options: FollowOptions,
): Promise<T> {
  const mode = progressMode(context, options);
  if (mode === 'json') context.onFailure({ format: errorAsJson });
  const display = createProgress(mode, context.stderr, { color: !context.env.NO_COLOR });
  operation.onEvent(display.sink);
  try {
    return await operation;
  } finally {
    display.close();
  }
}

function progressMode({ env, stderr }: CommandContext, options: FollowOptions): ProgressMode {
  if (options.quiet) return 'quiet';
  const mode = options.progress ?? env.TSBUILD_PROGRESS ?? 'auto';
  if (!isMode(mode)) throw usage(`TSBUILD_PROGRESS is not a kind of progress: ${mode}`);
  if (mode !== 'auto') return mode;
  return stderr.isTTY && env.TERM !== 'dumb' ? 'tty' : 'plain';
}

function isMode(text: string): text is ProgressMode {
  return (PROGRESS_FLAG.choices as readonly string[]).includes(text);
}
