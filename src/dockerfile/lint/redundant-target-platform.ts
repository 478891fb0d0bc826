import type { Rule } from './rule.ts';

export const redundantTargetPlatform: Rule = {
  name: 'RedundantTargetPlatform',
  description:
    'Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
  page: 'redundant-target-platform',
  checkFromWord({ word, platform }, report) {
    if (platform === undefined || word.unmatched.size > 0) return;
    if (word.matched.size !== 1 || !word.matched.has('TARGETPLATFORM')) return;
    if (word.result !== platform.target) return;
    report(
      `Setting platform to predefined ${platform.raw} in FROM is redundant as this is the default behavior`,
    );
  },
};
