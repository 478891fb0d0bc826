import { orMeant } from '../suggest.ts';
import type { Rule } from './rule.ts';

export const undefinedVar: Rule = {
  name: 'UndefinedVar',
  description: 'Variables should be defined before their use',
  page: 'undefined-var',
  checkVariables({ unset, declared, env }, report) {
    for (const name of unset.flatMap((names) => [...names])) {
      if (declared.has(name)) continue;
      const guess = orMeant(name, Object.keys(env), { caseSensitive: true });
      report(`Usage of undefined variable '$${name}'${guess.replace('mean ', 'mean $')}`);
    }
  },
};
