import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.ts';
import { selectCommand } from '../../src/cli/select-command.ts';

describe('the command', () => {
  test.each<[string[], string, string[]]>([
    [['build', '.'], 'build', ['.']],
    [['-t', 'x', '.'], 'build', ['-t', 'x', '.']],
    [['.'], 'build', ['.']],
    [['./app'], 'build', ['./app']],
    [['-'], 'build', ['-']],
    [['https://example.com/a.tar'], 'build', ['https://example.com/a.tar']],
    [['src'], 'build', ['src']],
    [['run', 'build'], 'run', ['build']],
    [['system', 'df', '--format', 'json'], 'system df', ['--format', 'json']],
    [['buildx', 'build', '--load', '.'], 'build', ['--load', '.']],
    [['image', 'rm', 'x'], 'rmi', ['x']],
    [['help', 'image', 'ls'], 'images', ['--help']],
    [['--version'], 'version', []],
    [['help', 'push'], 'push', ['--help']],
    [['help', 'system', 'df'], 'system df', ['--help']],
  ])('of %j', (argv, name, args) => {
    const selection = selectCommand(argv, COMMANDS);
    expect(selection?.entry.name).toBe(name);
    expect(selection?.args).toEqual(args);
  });

  test.each([[[]], [['--help']], [['-h']], [['help']]])('of %j is the overview', (argv) => {
    expect(selectCommand(argv, COMMANDS)).toBeUndefined();
  });

  test.each([
    [['biuld', '.'], 'unknown command: biuld', /did you mean 'tsbuild build'/],
    [['frobnicate'], 'unknown command: frobnicate', /--help/],
    [['image', 'frobnicate'], 'unknown command: image', /./],
    [['system'], 'unknown command: system', /'tsbuild system df'/],
    [['system', 'dff'], 'unknown command: system dff', /'tsbuild system df'/],
  ])('of %j is unknown', (argv, message, hint) => {
    expect(() => selectCommand(argv, COMMANDS)).toThrow(
      expect.objectContaining({ code: 'USAGE', message, hint: expect.stringMatching(hint) }),
    );
  });
});
