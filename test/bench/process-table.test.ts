import { expect, test } from 'vitest';
import { descendants, openProcessTable, parseStat } from './process-table.ts';

test('a line of /proc is read although the name holds spaces and parentheses', () => {
  const line = `42 (a) b (c)) S 7 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 100 999424 300 18446744073709551615`;
  expect(parseStat(line)).toEqual({ pid: 42, name: 'a) b (c)', parent: 7, rss: 300 * 4096 });
});

test('this process is in the table, with its parent and its memory, and kernel threads are not', () => {
  const table = openProcessTable();
  table.read();
  const entries = table.read();
  const self = entries.find(({ pid }) => pid === process.pid);
  expect(self?.parent).toBe(process.ppid);
  expect(self?.rss).toBeGreaterThan(1 << 20);
  expect(entries.filter(({ parent }) => parent === 2)).toEqual([]);
});

test('descendants are the roots, their children and theirs, each once', () => {
  const entry = (pid: number, parent: number) => ({ pid, parent, name: '', rss: 0 });
  const table = [entry(5, 3), entry(1, 0), entry(2, 1), entry(3, 2), entry(4, 1), entry(9, 8)];
  const pids = (roots: number[]) => {
    return descendants(table, new Set(roots))
      .map(({ pid }) => pid)
      .sort();
  };
  expect(pids([2])).toEqual([2, 3, 5]);
  expect(pids([2, 5, 9])).toEqual([2, 3, 5, 9]);
  expect(pids([77])).toEqual([]);
});
