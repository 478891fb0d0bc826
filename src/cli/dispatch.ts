/** From the arguments to the command that they mean, and into it. */
import type { Command, CommandContext } from './command.ts';
import { COMMANDS } from './commands.ts';
import { type FlagTable, parseFlags, usage } from './flags.ts';
import { selectCommand } from './select-command.ts';

/** Resolves with the exit status. @throws TsbuildError whatever the command fails with */
export async function dispatch(argv: readonly string[], context: CommandContext): Promise<number> {
  const args = argv[0] === '--debug' ? argv.slice(1) : argv;
  const selected = selectCommand(args, COMMANDS);
  if (selected === undefined) {
    const { overview } = await import('./help.ts');
    context.stdout.write(overview(COMMANDS));
    return 0;
  }
  return runCommand(await selected.entry.load(), selected.args, context);
}

/** Flags that every command has; `-h` is left to a command that uses it itself. */
export function commonFlags(command: Command): FlagTable {
  const taken = Object.values(command.flags).some((flag) => flag.short === 'h');
  return {
    debug: { type: 'boolean', help: 'Show stacks and causes of errors (also TSBUILD_DEBUG=1)' },
    help: { type: 'boolean', ...(taken ? {} : { short: 'h' }), help: 'Show this help' },
  };
}

async function runCommand(
  command: Command,
  argv: readonly string[],
  context: CommandContext,
): Promise<number> {
  if (command.failureStatus !== undefined) context.onFailure({ status: command.failureStatus });
  const common = commonFlags(command);
  const table = { ...command.flags, ...common };
  const input = parseFlags(argv, table, { flagsFirst: command.flagsFirst ?? false });
  if (input.flags.help) {
    const { commandHelp } = await import('./help.ts');
    context.stdout.write(commandHelp(command, common));
    return 0;
  }
  checkArguments(command, input.args.length);
  return (await command.run(input, context)) ?? 0;
}

function checkArguments(command: Command, count: number): void {
  const { min, max } = command.args;
  if (count >= min && count <= max) return;
  const wanted =
    min === max
      ? `${min}`
      : max === Number.POSITIVE_INFINITY
        ? `at least ${min}`
        : `${min} to ${max}`;
  const noun =
    min === 1 && (max === 1 || max === Number.POSITIVE_INFINITY) ? 'argument' : 'arguments';
  throw usage(
    `'tsbuild ${command.name}' takes ${wanted} ${noun}, not ${count}`,
    `write it as: tsbuild ${command.name} ${command.synopsis}`,
  );
}
