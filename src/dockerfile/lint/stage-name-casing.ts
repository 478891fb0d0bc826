import type { Rule } from './rule.ts';

export const stageNameCasing: Rule = {
  name: 'StageNameCasing',
  description: 'Stage names should be lowercase',
  page: 'stage-name-casing',
  checkNode({ name, args }, report) {
    const stage = args[2];
    if (name.toLowerCase() !== 'from' || args.length !== 3 || stage === undefined) return;
    if (stage !== stage.toLowerCase()) report(`Stage name '${stage}' should be lowercase`);
  },
};
