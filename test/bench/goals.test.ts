import { describe, expect, test } from 'vitest';
import { type Goal, judge, type ToolResult } from './goals.ts';

const MiB = 1 << 20;

function verdict(goal: Goal, ...results: ToolResult[]) {
  return judge({ name: 'x', title: 'x', goal, results });
}

function result(tool: string, seconds: number[], mebibytes = 100, more = {}): ToolResult {
  return { tool, seconds, peakRss: seconds.map(() => mebibytes * MiB), ...more };
}

describe('time', () => {
  test('is compared with the peer of the lowest median', () => {
    const given = [
      result('tsbuild', [1, 2, 3]),
      result('docker', [9]),
      result('buildah', [8, 1, 8]),
    ];
    expect(verdict({ ratio: 0.25 }, ...given)).toMatchObject({
      ratio: 0.25,
      best: 'buildah',
      timeMet: true,
    });
    expect(verdict({ ratio: 0.24 }, ...given)).toMatchObject({ timeMet: false });
  });

  test('may have a goal of its own, without a peer', () => {
    expect(verdict({ seconds: 2.4 }, result('tsbuild', [2.4]))).toMatchObject({ timeMet: true });
    expect(verdict({ seconds: 2.4 }, result('tsbuild', [2.5]))).toMatchObject({ timeMet: false });
  });

  test.each([
    ['no peer was there', [result('tsbuild', [1])]],
    ['every peer failed', [result('tsbuild', [1]), result('docker', [], 0, { failure: 'no' })]],
    ['tsbuild failed', [result('tsbuild', [], 0, { failure: 'no' }), result('docker', [1])]],
  ])('is neither met nor missed when %s', (_, results) => {
    expect(verdict({ ratio: 0.5 }, ...results)).toMatchObject({
      ratio: undefined,
      timeMet: undefined,
    });
  });
});

test.each([
  [200, 201, 300, true],
  [201, 202, 300, false],
  [100, 100, 300, false],
  [100, 300, 99, false],
])('%i MiB beside %i and %i of the peers: %s', (ours, docker, buildah, met) => {
  const results = [
    result('tsbuild', [1], ours),
    result('docker', [1], docker),
    result('buildah', [1], buildah),
  ];
  expect(verdict({ ratio: 1 }, ...results).memoryMet).toBe(met);
});

test('the peak of memory is that of the worst round', () => {
  const ours = { tool: 'tsbuild', seconds: [1, 1, 1], peakRss: [10 * MiB, 500 * MiB, 10 * MiB] };
  expect(verdict({ ratio: 1 }, ours, result('docker', [1], 600)).memoryMet).toBe(false);
});

test.each([
  [103, true],
  [104, false],
])('%i bytes sent where docker sends 100, of 3 %% more that are allowed: %s', (sent, met) => {
  const results = [
    result('tsbuild', [1], 1, { sentBytes: [sent] }),
    result('docker', [1], 1, { sentBytes: [100] }),
  ];
  expect(verdict({ ratio: 1, sizePercent: 3 }, ...results).sizeMet).toBe(met);
});
