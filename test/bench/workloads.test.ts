import { expect, test } from 'vitest';
import { parseDockerfile } from '../../src/dockerfile/parse.ts';
import { SERIES } from './growth.ts';
import { WORKLOADS } from './workloads.ts';

const contexts = [
  ...WORKLOADS.flatMap(({ name, context }) => (context ? [[name, context] as const] : [])),
  ...SERIES.map((series) => [series.name, series.context(series.sizes[0]!)] as const),
];

test('each workload has a name of its own and a goal', () => {
  const names = WORKLOADS.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { goal } of WORKLOADS) expect(goal.ratio ?? goal.seconds).toBeGreaterThan(0);
});

test.each(contexts)('the Dockerfile of %s can be parsed', (_, { dockerfile }) => {
  expect(() => parseDockerfile(dockerfile, { file: 'Dockerfile' })).not.toThrow();
});

test('contexts of one name are one context', () => {
  const byName = new Map(contexts.map(([, context]) => [context.name, context]));
  for (const [, context] of contexts) expect(byName.get(context.name)).toBe(context);
});
