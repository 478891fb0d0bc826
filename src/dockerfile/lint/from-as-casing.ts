import type { Rule } from './rule.ts';

export const fromAsCasing: Rule = {
  name: 'FromAsCasing',
  description: "The 'as' keyword should match the case of the 'from' keyword",
  page: 'from-as-casing',
  checkNode({ name, args }, report) {
    const as = args[1];
    if (name.toLowerCase() !== 'from' || args.length < 3 || as === undefined) return;
    // A FROM in mixed case is a matter of ConsistentInstructionCasing.
    const fold = name === name.toUpperCase() ? upper : name === name.toLowerCase() ? lower : same;
    if (as !== fold(as)) report(`'${as}' and '${name}' keywords' casing do not match`);
  },
};

const upper = (word: string) => word.toUpperCase();
const lower = (word: string) => word.toLowerCase();
const same = (word: string) => word;
