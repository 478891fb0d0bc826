import type { Rule } from './rule.ts';

export const workdirRelativePath: Rule = {
  name: 'WorkdirRelativePath',
  description:
    'Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes',
  page: 'workdir-relative-path',
  checkStep({ instruction, hasWorkdir }, report) {
    if (instruction.kind !== 'workdir' || hasWorkdir || instruction.path.startsWith('/')) return;
    report(
      `Relative workdir "${instruction.path}" can have unexpected results if the base image changes`,
    );
  },
};
