import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.ts';
import { commonFlags } from '../../src/cli/dispatch.ts';
import { commandHelp, overview } from '../../src/cli/help.ts';

describe.each(COMMANDS.map((entry) => [entry.name, entry] as const))(
  'the help of %s',
  (name, entry) => {
    test('names every flag and shows examples of the command itself', async () => {
      const command = await entry.load();
      expect(command.name).toBe(name);
      const text = commandHelp(command, commonFlags(command));
      for (const flag of Object.keys(command.flags)) expect(text).toContain(`--${flag}`);
      expect(command.examples.length).toBeGreaterThan(0);
      for (const example of command.examples) expect(example.command).toMatch(/tsbuild/);
      expect(text).toContain('--help');
    });

    test('fits a wide terminal, and no two flags share a letter', async () => {
      const command = await entry.load();
      const text = commandHelp(command, commonFlags(command));
      const flagLines = text.split('Flags:')[1]!.split('Examples:')[0]!.split('\n');
      expect(flagLines.filter((line) => line.length > 112)).toEqual([]);
      const letters = Object.values({ ...command.flags, ...commonFlags(command) }).flatMap(
        (flag) => flag.short ?? [],
      );
      expect(new Set(letters).size).toBe(letters.length);
    });
  },
);

test('the overview lists every command', () => {
  const text = overview(COMMANDS);
  for (const { name, summary } of COMMANDS) {
    expect(text).toContain(name);
    expect(text).toContain(summary);
  }
});
