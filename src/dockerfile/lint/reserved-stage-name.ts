import type { Rule } from './rule.ts';

const RESERVED = new Set(['context', 'scratch']);

export const reservedStageName: Rule = {
  name: 'ReservedStageName',
  description: 'Reserved words should not be used as stage names',
  page: 'reserved-stage-name',
  checkStageName(name, _, report) {
    if (!RESERVED.has(name)) return;
    report(`Stage name should not use the same name as reserved stage "${name}"`);
  },
};
