import type { Rule } from './rule.ts';

export const legacyKeyValueFormat: Rule = {
  name: 'LegacyKeyValueFormat',
  description: 'Legacy key/value format with whitespace separator should not be used',
  page: 'legacy-key-value-format',
  checkStep({ instruction }, report) {
    if (instruction.kind !== 'env' && instruction.kind !== 'label') return;
    if (!instruction.pairs.some(({ separator }) => separator === '')) return;
    const { name } = instruction;
    report(`"${name} key=value" should be used instead of legacy "${name} key value" format`);
  },
};
