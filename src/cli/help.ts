/** The text of `--help`, made from the same data that the parser reads. */
import type { Command } from './command.ts';
import type { CommandEntry } from './commands.ts';
import type { Flag, FlagTable } from './flags.ts';

export function commandHelp(command: Command, common: FlagTable): string {
  const flags = Object.entries({ ...command.flags, ...common });
  const lines = [
    `Usage: tsbuild ${command.name} ${command.synopsis}`.trimEnd(),
    '',
    ...wrap(command.about, WIDTH),
    '',
    'Flags:',
    ...flags.flatMap(([name, flag]) => flagLines(name, flag)),
  ];
  if (command.notes !== undefined) lines.push('', ...wrap(command.notes, WIDTH));
  lines.push('', 'Examples:');
  for (const example of command.examples) {
    lines.push(`  ${example.command}`, `      ${example.does}`);
  }
  return `${lines.join('\n')}\n`;
}

export function overview(entries: readonly CommandEntry[]): string {
  const width = Math.max(...entries.map((entry) => entry.name.length));
  return `Usage: tsbuild [build] [flags] CONTEXT
       tsbuild COMMAND [flags] [arguments]

Builds, ships and runs OCI images without a daemon.

Commands:
${entries.map((entry) => `  ${entry.name.padEnd(width)}  ${entry.summary}`).join('\n')}

'tsbuild COMMAND --help' shows the flags of a command, with examples.

Environment:
  TSBUILD_HOME       the store (default: /var/lib/tsbuild as root, else $XDG_DATA_HOME/tsbuild)
  TSBUILD_PROGRESS   default of --progress
  TSBUILD_DEBUG      1 shows stacks and causes of errors
  DOCKER_CONFIG      directory of config.json with registry credentials (default: ~/.docker)
  SOURCE_DATE_EPOCH  time stamp for reproducible images, in seconds since 1970
  NO_COLOR           no colours
`;
}

const HELP_COLUMN = 34;
const WIDTH = 110;

function flagLines(name: string, flag: Flag): string[] {
  const short = flag.short === undefined ? '    ' : `-${flag.short}, `;
  const value = flag.value ?? (flag.choices ? flag.choices.join('|') : 'VALUE');
  const suffix =
    flag.type === 'boolean' ? '' : flag.alone === undefined ? ` ${value}` : `[=${value}]`;
  const head = `  ${short}--${name}${suffix}`;
  const text = wrap(flag.help, WIDTH - HELP_COLUMN);
  const indent = ' '.repeat(HELP_COLUMN);
  if (head.length + 2 > HELP_COLUMN) return [head, ...text.map((line) => indent + line)];
  return text.map((line, at) => (at === 0 ? head.padEnd(HELP_COLUMN) : indent) + line);
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
