import type { Rule } from './rule.ts';

export const invalidDefaultArgInFrom: Rule = {
  name: 'InvalidDefaultArgInFrom',
  description: 'Default value for global ARG results in an empty or invalid base image name',
  page: 'invalid-default-arg-in-from',
  checkDefaultBase({ from, isImageName }, report) {
    if (isImageName) return;
    report(`Default value for ARG ${from.base} results in empty or invalid base image name`);
  },
};
