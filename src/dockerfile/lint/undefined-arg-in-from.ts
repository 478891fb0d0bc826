import { orMeant } from '../suggest.ts';
import type { Rule } from './rule.ts';

export const undefinedArgInFrom: Rule = {
  name: 'UndefinedArgInFrom',
  description: 'FROM command must use declared ARGs',
  page: 'undefined-arg-in-from',
  checkFromWord({ word, declared }, report) {
    for (const argument of word.unmatched) {
      if (declared.has(argument)) continue;
      const guess = orMeant(argument, declared, { caseSensitive: true });
      report(`FROM argument '${argument}' is not declared${guess}`);
    }
  },
};
