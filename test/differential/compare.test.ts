import { expect, test } from 'vitest';
// @ts-expect-error: plain JavaScript, as all that `npm run differential` starts.
import { compareRefusals } from './compare.js';

const engine =
  'Dockerfile:3\n   2 |     RUN a\n   3 | >>> COPPY b\nERROR: unknown instruction: COPPY\n';
const ours = (place: string) => `error: unknown instruction [DOCKERFILE_PARSE]\n  --> ${place}\n`;

test.each([
  ['/ctx/Dockerfile:3', 0],
  ['/ctx/Dockerfile:3:16', 0],
  ['/c:9/Dockerfile:3:2', 0],
  ['/ctx/Dockerfile:2', 1],
  ['/ctx/Dockerfile:2:3', 1],
])('a refusal at %s differs in %i ways from one that marks line 3', (place, count) => {
  expect(compareRefusals(engine, ours(place))).toHaveLength(count);
});

test('a refusal without a code is a difference', () => {
  expect(compareRefusals('', 'error: no\n')).toEqual(['refusal without a code: error: no']);
});
