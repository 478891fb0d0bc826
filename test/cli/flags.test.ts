import { describe, expect, test } from 'vitest';
import { type FlagTable, parseFlags } from '../../src/cli/flags.ts';

const TABLE = {
  tag: { type: 'list', short: 't', help: '' },
  file: { type: 'string', short: 'f', help: '' },
  pull: { type: 'boolean', help: '' },
  interactive: { type: 'boolean', short: 'i', help: '' },
  tty: { type: 'boolean', short: 'y', help: '' },
  progress: { type: 'string', choices: ['plain', 'tty'], help: '' },
  when: { type: 'string', alone: 'always', help: '' },
} as const satisfies FlagTable;

describe('flags are read as docker reads them', () => {
  test.each<[string, string[], object, string[]]>([
    ['a separate value', ['--file', 'x'], { file: 'x' }, []],
    ['a joined value', ['--file=x=y'], { file: 'x=y' }, []],
    ['an empty joined value', ['--file='], { file: '' }, []],
    ['a short flag', ['-f', 'x'], { file: 'x' }, []],
    ['a short flag with its value attached', ['-fx'], { file: 'x' }, []],
    ['a short flag with =', ['-f=x'], { file: 'x' }, []],
    ['a value that looks like a flag', ['-f', '-t'], { file: '-t' }, []],
    ['a dash as a value', ['-f', '-', '.'], { file: '-' }, ['.']],
    ['a dash as an argument', ['-'], {}, ['-']],
    ['lists in order', ['-t', 'a', '.', '--tag=b'], { tag: ['a', 'b'] }, ['.']],
    ['the last of several values', ['-f', 'a', '-f', 'b'], { file: 'b' }, []],
    ['a boolean', ['--pull', 'x'], { pull: true }, ['x']],
    ['a boolean set to false', ['--pull=false'], { pull: false }, []],
    ['a cluster', ['-iy'], { interactive: true, tty: true }, []],
    [
      'a cluster with a value at its end',
      ['-iyfx'],
      { interactive: true, tty: true, file: 'x' },
      [],
    ],
    ['a boolean in short form with =', ['-i=false'], { interactive: false }, []],
    ['numbers as they are written', ['-t', '007', '--file=1e3'], { tag: ['007'], file: '1e3' }, []],
    ['what follows -- as arguments', ['--', '--pull', '-f'], {}, ['--pull', '-f']],
    ['an implied value', ['--when', 'x'], { when: 'always' }, ['x']],
    ['a joined value where one is implied', ['--when=never'], { when: 'never' }, []],
    ['names of Object.prototype as unknown words', ['constructor'], {}, ['constructor']],
  ])('%s', (_, args, flags, rest) => {
    expect(parseFlags(args, TABLE)).toEqual({ flags: { tag: [], ...flags }, args: rest });
  });

  test('flags end at the first argument where the rest belongs to someone else', () => {
    const { flags, args } = parseFlags(['-i', 'app', '-f', '--x'], TABLE, { flagsFirst: true });
    expect(flags.interactive).toBe(true);
    expect(args).toEqual(['app', '-f', '--x']);
  });
});

describe('a wrong flag is a usage error', () => {
  test.each<[string[], string, string?]>([
    [['--taag', 'x'], 'unknown flag --taag', 'did you mean --tag?'],
    [['--constructor'], 'unknown flag --constructor'],
    [['-iz'], 'unknown flag -z in -iz'],
    [['--file'], 'flag --file needs a value'],
    [['-f'], 'flag -f needs a value'],
    [['--pull=perhaps'], 'flag --pull: "perhaps" is neither true nor false'],
    [['--progress', 'loud'], 'flag --progress: "loud" is none of plain, tty'],
  ])('%j', (args, message, hint) => {
    expect(() => parseFlags(args, TABLE)).toThrow(
      expect.objectContaining({ code: 'USAGE', message, ...(hint ? { hint } : {}) }),
    );
  });
});
