import type { Rule } from './rule.ts';

export const consistentInstructionCasing: Rule = {
  name: 'ConsistentInstructionCasing',
  description:
    'All commands within the Dockerfile should use the same casing (either upper or lower)',
  page: 'consistent-instruction-casing',
  checkStages(stages, report) {
    const all = stages.flatMap(({ from, instructions }) => [from, ...instructions]);
    const lower = all.filter(({ name }) => name === name.toLowerCase()).length;
    const upper = all.filter(({ name }) => name === name.toUpperCase()).length;
    const majority = lower > upper ? 'lowercase' : 'uppercase';
    for (const { name, location } of all) {
      const expected = majority === 'lowercase' ? name.toLowerCase() : name.toUpperCase();
      if (name === expected) continue;
      report(
        `Command '${name}' should match the case of the command majority (${majority})`,
        location,
      );
    }
  },
};
