import { describe, expect, test } from 'vitest';
import { createLogLines, displayLine } from '../../src/progress/log-lines.ts';

describe('output in pieces', () => {
  test('becomes lines wherever the pieces end', () => {
    const log = createLogLines();
    expect(log.push('a')).toEqual([]);
    expect(log.push('b\nc\nd')).toEqual(['ab', 'c']);
    expect(log.push('\n')).toEqual(['d']);
    expect(log.flush()).toEqual([]);
    log.push('rest');
    expect(log.flush()).toEqual(['rest']);
  });

  test('keeps CRLF that is split between pieces', () => {
    const log = createLogLines();
    log.push('line\r');
    expect(log.push('\n')).toEqual(['line']);
  });

  test('does not grow with a progress bar that never ends its line', () => {
    const log = createLogLines();
    for (let at = 0; at < 100_000; at++) log.push(`\r${at}%`);
    expect(log.flush()).toEqual(['99999%']);
  });

  test('cuts a line that never ends', () => {
    const log = createLogLines();
    const lines = Array.from({ length: 100 }, () => log.push('x'.repeat(10_000))).flat();
    expect(lines.length).toBeGreaterThan(5);
  });
});

describe('a line', () => {
  test.each([
    ['keeps colours', '\x1b[1;31mred\x1b[0m', '\x1b[1;31mred\x1b[0m'],
    ['loses cursor moves', 'a\x1b[2Kb\x1b[1Ac\x1b[10;20Hd', 'abcd'],
    ['loses private modes', '\x1b[?25lx\x1b[?1049h', 'x'],
    ['loses titles', '\x1b]0;title\x07x\x1b]0;t\x1b\\y', 'xy'],
    ['loses hyperlink targets', '\x1b]8;;http://e\x07link\x1b]8;;\x07', 'link'],
    ['loses device strings', '\x1bPq#0\x1b\\x', 'x'],
    ['loses resets of the terminal', '\x1bcx', 'x'],
    ['loses C1 controls, bells and backspaces', 'a\u009b2Jb\x07c\x08d', 'a2Jbcd'],
    ['shows what a carriage return leaves', '10%\r100%', '100%'],
    ['expands tabs', 'a\tb', 'a    b'],
    ['loses an escape at its end', 'x\x1b', 'x'],
    ['keeps text in any script', 'größe 大きさ 🚀', 'größe 大きさ 🚀'],
  ])('%s', (_, line, shown) => {
    expect(displayLine(line)).toBe(shown);
  });
});
