import type { Rule } from './rule.ts';

const SECRET =
  /(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)/i;
const PUBLIC = /(?:_|^)(?:public)(?:_|$)/i;

export const secretsUsedInArgOrEnv: Rule = {
  name: 'SecretsUsedInArgOrEnv',
  description: 'Sensitive data should not be used in the ARG or ENV commands',
  page: 'secrets-used-in-arg-or-env',
  checkStep({ instruction }, report) {
    const { kind } = instruction;
    if (kind !== 'arg' && kind !== 'env') return;
    const names =
      kind === 'arg'
        ? instruction.args.map(({ name }) => name)
        : instruction.pairs.map(({ key }) => key);
    for (const name of names) {
      if (!SECRET.test(name) || PUBLIC.test(name)) continue;
      report(
        `Do not use ARG or ENV instructions for sensitive data (${kind.toUpperCase()} "${name}")`,
      );
    }
  },
};
