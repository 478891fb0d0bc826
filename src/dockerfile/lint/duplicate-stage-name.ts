import type { Rule } from './rule.ts';

export const duplicateStageName: Rule = {
  name: 'DuplicateStageName',
  description: 'Stage names should be unique',
  page: 'duplicate-stage-name',
  checkStages(stages, report) {
    const seen = new Set<string>();
    for (const { name, from } of stages) {
      if (name === undefined) continue;
      if (seen.has(name)) {
        report(`Duplicate stage name "${name}", stage names should be unique`, from.location);
      }
      seen.add(name);
    }
  },
};
