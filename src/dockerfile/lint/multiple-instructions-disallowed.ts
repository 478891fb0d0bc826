import type { Rule } from './rule.ts';

const ONCE = new Set(['cmd', 'entrypoint', 'healthcheck']);

export const multipleInstructionsDisallowed: Rule = {
  name: 'MultipleInstructionsDisallowed',
  description: 'Multiple instructions of the same type should not be used in the same stage',
  page: 'multiple-instructions-disallowed',
  checkStep({ instruction: { kind, name }, previous }, report) {
    if (!ONCE.has(kind)) return;
    // The earlier one is the one without effect.
    const earlier = previous.findLast((instruction) => instruction.kind === kind);
    if (earlier === undefined) return;
    report(
      `Multiple ${name} instructions should not be used in the same stage because only the last one will be used`,
      earlier.location,
    );
  },
};
