import type { Rule } from './rule.ts';

const IS_REMOTE = /^(?:https?:\/\/|git:\/\/|git@|ssh:\/\/|github\.com\/)/;

export const copyIgnoredFile: Rule = {
  name: 'CopyIgnoredFile',
  description: 'Attempting to Copy file that is excluded by .dockerignore',
  page: 'copy-ignored-file',
  experimental: true,
  checkStep({ instruction, isIgnored }, report) {
    const { kind } = instruction;
    if (kind !== 'copy' && kind !== 'add') return;
    if (kind === 'copy' && instruction.from) return;
    for (const source of instruction.sources) {
      if ((kind === 'add' && IS_REMOTE.test(source)) || !isIgnored(source)) continue;
      const verb = kind === 'copy' ? 'Copy' : 'Add';
      report(
        `Attempting to ${verb} file ${JSON.stringify(source)} that is excluded by .dockerignore`,
      );
    }
  },
};
