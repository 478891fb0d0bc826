import { expect, test } from 'vitest';
import { parseChallenges } from '../../src/registry/challenge.ts';

test.each([
  ['Basic realm="r"', [{ scheme: 'basic', parameters: { realm: 'r' } }]],
  [
    'Bearer realm="https://auth/token",service="s",scope="repository:a/b:pull,push"',
    [
      {
        scheme: 'bearer',
        parameters: {
          realm: 'https://auth/token',
          service: 's',
          scope: 'repository:a/b:pull,push',
        },
      },
    ],
  ],
  [
    'Basic realm=plain , BEARER Realm="a \\"b\\"", error=x',
    [
      { scheme: 'basic', parameters: { realm: 'plain' } },
      { scheme: 'bearer', parameters: { realm: 'a "b"', error: 'x' } },
    ],
  ],
  [
    'Negotiate, Basic realm="r"',
    [
      { scheme: 'negotiate', parameters: {} },
      { scheme: 'basic', parameters: { realm: 'r' } },
    ],
  ],
  ['Bearer realm="unclosed', [{ scheme: 'bearer', parameters: {} }]],
  ['', []],
])('%s is read', (header, expected) => {
  const found = parseChallenges([header]).map(({ scheme, parameters }) => ({
    scheme,
    parameters: { ...parameters },
  }));
  expect(found.filter(({ scheme }) => ['basic', 'bearer', 'negotiate'].includes(scheme))).toEqual(
    expected,
  );
});

test('several header lines are several challenges', () => {
  expect(
    parseChallenges(['Basic realm="a"', 'Bearer realm="b"']).map(({ scheme }) => scheme),
  ).toEqual(['basic', 'bearer']);
});

test('a header made to be slow to parse is not', () => {
  const started = performance.now();
  parseChallenges([
    `Bearer ${'a="'.repeat(5000)}`,
    `Bearer realm="${'\\'.repeat(100_000)}`,
    ' ,'.repeat(8000),
  ]);
  expect(performance.now() - started).toBeLessThan(1000);
});
