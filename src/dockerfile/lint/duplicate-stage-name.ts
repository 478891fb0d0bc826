import type { Rule } from './rule.ts';

export const duplicateStageName: Rule = {
  name: 'DuplicateStageName',
  description: 'Stage names should be unique',
  page: 'duplicate-stage-name',
  checkStageName(name, earlier, report) {
    if (earlier.has(name)) report(`Duplicate stage name "${name}", stage names should be unique`);
  },
};
