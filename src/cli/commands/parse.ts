import { readFileSync } from 'node:fs';
import { TsbuildError } from '../../errors.ts';
import { defineCommand } from '../command.ts';

export const parse = defineCommand({
  name: 'parse',
  synopsis: 'FILE [--format json]',
  about:
    'Prints what a Dockerfile says, instruction by instruction, before anything is looked up or expanded.',
  flags: {
    format: { type: 'string', choices: ['json'], help: 'The only one' },
  },
  examples: [{ command: 'tsbuild parse Dockerfile --format json', does: 'The instructions' }],
  args: { min: 1, max: 1 },
  async run({ args }, { stdout }) {
    const file = args[0]!;
    const [{ parseSyntax }, { formatSyntax }] = await Promise.all([
      import('../../dockerfile/parse.ts'),
      import('../../dockerfile/format-json.ts'),
    ]);
    stdout.write(formatSyntax(parseSyntax(read(file), { file })));
  },
});

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new TsbuildError('CONTEXT', `read ${file}`, { cause });
  }
}
