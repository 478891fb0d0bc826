import { describe, expect, test } from 'vitest';
import { choose, commandWords, parseOptions } from './options.ts';

describe('the command line', () => {
  test('counts five rounds unless it is told otherwise', () => {
    expect(parseOptions([])).toMatchObject({ rounds: 5, growth: false, full: false, list: false });
  });

  test.each([
    [['-n', '9'], { rounds: 9 }],
    [['-n9'], { rounds: 9 }],
    [['--only', 'a,b'], { only: ['a', 'b'] }],
    [['--only=a'], { only: ['a'] }],
    [['--tools=docker', '--json', 'x.json'], { tools: ['docker'], json: 'x.json' }],
    [['--network', 'default'], { network: 'default' }],
    [['--growth', '--full'], { growth: true, full: true }],
  ])('%j says %j', (args, options) => {
    expect(parseOptions(args)).toMatchObject(options);
  });

  test.each([
    [['--bogus'], 'unknown option --bogus'],
    [['-n', '0'], '-n: not a number of rounds: 0'],
    [['-n', 'many'], '-n: not a number of rounds: many'],
    [['--network=none'], '--network: host or default: none'],
    [['--only'], '--only needs a value'],
    [['--growth=yes'], '--growth takes no value'],
  ])('%j is refused: %s', (args, message) => {
    expect(() => parseOptions(args)).toThrow(message);
  });
});

test('a command of the environment is its words', () => {
  expect(commandWords(' chroot  /opt/peers docker ')).toEqual(['chroot', '/opt/peers', 'docker']);
});

test('what is chosen keeps its order, and a name that nothing has is refused with those that there are', () => {
  const entries = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];
  expect(choose(entries, undefined)).toEqual(entries);
  expect(choose(entries, ['c', 'a'])).toEqual([{ name: 'a' }, { name: 'c' }]);
  expect(() => choose(entries, ['d'])).toThrow('no d; there are a, b, c');
});
