import type { Rule } from './rule.ts';

export const fromPlatformFlagConstDisallowed: Rule = {
  name: 'FromPlatformFlagConstDisallowed',
  description: 'FROM --platform flag should not use a constant value',
  page: 'from-platform-flag-const-disallowed',
  checkFromWord({ from: { stageName = '' }, word, platform }, report) {
    if (platform?.parsed === undefined) return;
    if (word.matched.size > 0 || word.unmatched.size > 0) return;
    // A stage that is named for its platform is meant for it.
    const { os, architecture } = platform.parsed;
    if (stageName.includes(os) || stageName.includes(architecture)) return;
    report(`FROM --platform flag should not use constant value "${word.result}"`);
  },
};
