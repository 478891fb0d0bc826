import type { Rule } from './rule.ts';

export const invalidDefinitionDescription: Rule = {
  name: 'InvalidDefinitionDescription',
  description:
    'Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.',
  page: 'invalid-definition-description',
  experimental: true,
  checkNode({ name, args, comments }, report) {
    const instruction = name.toUpperCase();
    const described = definedNames(instruction, args);
    const [subject] = comments.at(-1)?.split(' ') ?? [];
    if (!subject || described.length === 0 || described.includes(subject)) return;
    const example = described.length > 1 ? '<arg_key>' : described[0];
    report(`Comment for ${instruction} should follow the format: \`# ${example} <description>\``);
  },
};

/** What an ARG or FROM defines. */
function definedNames(instruction: string, args: readonly string[]): string[] {
  if (instruction === 'ARG') return args.map((argument) => argument.split('=', 1)[0]!);
  const stage = instruction === 'FROM' && args.length === 3 ? args[2]!.toLowerCase() : '';
  return stage === '' ? [] : [stage];
}
