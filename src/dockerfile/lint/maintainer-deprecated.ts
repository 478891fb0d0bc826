import type { Rule } from './rule.ts';

export const maintainerDeprecated: Rule = {
  name: 'MaintainerDeprecated',
  description:
    'The MAINTAINER instruction is deprecated, use a label instead to define an image author',
  page: 'maintainer-deprecated',
  checkNode({ name }, report) {
    if (name.toLowerCase() !== 'maintainer') return;
    report('Maintainer instruction is deprecated in favor of using label');
  },
};
