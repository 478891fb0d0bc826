import { expect, test } from 'vitest';
import { failures, growthTable, workloadTable } from './report.ts';

const MiB = 1 << 20;

test('a table has a row of medians, ranges, ratios and goals for each workload', () => {
  const table = workloadTable(
    [
      {
        name: 'push',
        title: 'a push',
        goal: { ratio: 0.5, sizePercent: 3 },
        results: [
          {
            tool: 'tsbuild',
            seconds: [0.5, 0.25],
            peakRss: [64 * MiB, 65 * MiB],
            sentBytes: [101],
          },
          { tool: 'docker', seconds: [1.5, 1.5], peakRss: [400 * MiB], sentBytes: [100] },
        ],
      },
      {
        name: 'broken',
        title: 'what fails',
        goal: { seconds: 2 },
        results: [
          { tool: 'tsbuild', seconds: [], peakRss: [], failure: 'it broke' },
          { tool: 'docker', seconds: [1], peakRss: [500 * MiB] },
        ],
      },
    ],
    ['tsbuild', 'docker'],
  );
  const rows = table.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  expect(rows[2]).toEqual([
    '',
    'a push',
    '0.375 s (0.250–0.500)',
    '1.50 s (1.50–1.50)',
    '0.25, size +1.0 %',
    '≤ 0.5, size +3 %',
    'yes',
    '65 / 400',
    'yes',
    '',
  ]);
  expect(rows[3]).toEqual([
    '',
    'what fails',
    'failed',
    '1.00 s (1.00–1.00)',
    '–',
    '≤ 2 s',
    '–',
    '– / 500',
    '–',
    '',
  ]);
  expect(
    new Set(
      table
        .trimEnd()
        .split('\n')
        .map((line) => line.length),
    ).size,
  ).toBe(1);
});

test('failures are told with the workload and the tool', () => {
  const results = [{ tool: 'docker', seconds: [], peakRss: [], failure: 'it broke' }];
  expect(failures([{ name: 'push', title: 'a push', goal: {}, results }])).toBe(
    'push, docker: it broke\n',
  );
});

test('growth is told per unit of work: 1 is linear', () => {
  const point = { warm: 0.1, peakRss: 100 * MiB };
  const table = growthTable({
    name: 'files',
    unit: 'files',
    points: [
      { ...point, size: 10, cold: 1 },
      { ...point, size: 100, cold: 20 },
      { size: 1000, cold: undefined, warm: undefined, peakRss: undefined, failure: 'it broke' },
    ],
  });
  expect(table).toMatch(/\| 100 files +\| 20\.00 s \(×2\.00\) +\| 0\.100 s \(×0\.10\)/);
  expect(table).toMatch(/\| 1000 files +\| failed/);
});
