import type { Rule } from './rule.ts';

export const jsonArgsRecommended: Rule = {
  name: 'JSONArgsRecommended',
  description:
    'JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals',
  page: 'json-args-recommended',
  checkStep({ instruction, hasShell }, report) {
    if (instruction.kind !== 'cmd' && instruction.kind !== 'entrypoint') return;
    // With a SHELL of one's own the shell is meant to be there.
    if (instruction.command.form === 'exec' || hasShell) return;
    report(
      `JSON arguments recommended for ${instruction.name} to prevent unintended behavior related to OS signals`,
    );
  },
};
