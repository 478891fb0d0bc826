import type { Rule } from './rule.ts';

export const noEmptyContinuation: Rule = {
  name: 'NoEmptyContinuation',
  description: 'Empty continuation lines will become errors in a future release',
  page: 'no-empty-continuation',
  checkText({ emptyContinuation }, report) {
    if (emptyContinuation !== undefined) report('Empty continuation line', emptyContinuation);
  },
};
