import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lint } from '../../src/dockerfile/lint/lint.ts';
import { parseDockerfile, parseSyntax } from '../../src/dockerfile/parse.ts';
import { isTsbuildError } from '../../src/errors.ts';

const PIECES = [
  'FROM scratch',
  'RUN',
  'COPY',
  'ADD',
  'ENV',
  'LABEL',
  'ARG',
  'ONBUILD',
  'HEALTHCHECK',
  'CMD',
  'EXPOSE',
  'USER',
  'FROM',
  ' ',
  '  ',
  '\t',
  '\n',
  '\n',
  '\n',
  '\r\n',
  '\\\n',
  '\\',
  '`',
  '#',
  '# escape=`',
  '# check=',
  '=',
  '"',
  "'",
  '[',
  ']',
  '["a"',
  ',',
  '<<EOF',
  '<<-E',
  '<<"x"',
  'EOF',
  '--',
  '--mount=',
  '--from=a',
  'type=bind',
  '$',
  '${',
  '}',
  'a',
  'a=b',
  ':-',
  'é',
  '\u0000',
  '\ufeff',
];
const text = fc
  .array(fc.constantFrom(...PIECES), { maxLength: 60 })
  .map((pieces) => pieces.join(''));

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!isTsbuildError(error)) throw error;
    return undefined;
  }
}

describe('whatever the text', () => {
  it('reading gives a tree or a located error, and the tree covers the lines', () => {
    fc.assert(
      fc.property(text, (source) => {
        const tree = attempt(() => parseSyntax(source));
        let last = 0;
        for (const { line, endLine } of tree?.nodes ?? []) {
          expect(line).toBeGreaterThan(last);
          expect(endLine).toBeGreaterThanOrEqual(line);
          last = endLine;
        }
        expect(last).toBeLessThanOrEqual(tree?.lines.length ?? 0);
        attempt(() => parseDockerfile(source));
      }),
      { numRuns: 3000 },
    );
  });

  it('any bytes are read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        attempt(() => parseDockerfile(bytes));
      }),
    );
  });

  it('checking ends, with a result', async () => {
    await fc.assert(
      fc.asyncProperty(text, async (body) => {
        const { warnings } = await lint(`FROM scratch\n${body}\n`);
        expect(Array.isArray(warnings)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('round trips', () => {
  it('what was read, written as one line, reads the same', () => {
    fc.assert(
      fc.property(text, (source) => {
        for (const node of attempt(() => parseSyntax(source))?.nodes ?? []) {
          if (node.heredocs.length > 0 || node.raw.endsWith('\\') || node.raw.endsWith('`'))
            continue;
          const again = attempt(() => parseSyntax(`\n${node.raw}\n`))?.nodes[0];
          // With another escape character words end elsewhere, and a blank first line may make it a comment.
          if (again === undefined || source.includes('`')) continue;
          expect(again.args).toEqual(node.args);
          expect(again.flags).toEqual(node.flags);
          expect(again.pairs).toEqual(node.pairs);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('an exec form keeps its words', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), (words) => {
        const [node] = parseSyntax(`RUN ${JSON.stringify(words)}`).nodes;
        expect(node).toMatchObject({ form: 'exec', args: words });
      }),
    );
  });

  it('a here-document keeps its lines', () => {
    const line = fc
      .string({ unit: 'grapheme' })
      .filter((each) => !/[\r\n]/.test(each) && each !== 'EOF');
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const content = lines.map((each) => `${each}\n`).join('');
        const { nodes } = parseSyntax(`RUN <<EOF\n${content}EOF\nRUN next\n`);
        expect(nodes[0]?.heredocs[0]?.content).toBe(content);
        expect(nodes[1]?.args).toEqual(['next']);
      }),
    );
  });
});

it('reads a long file in time', () => {
  const lines = Array.from(
    { length: 20_000 },
    (_, index) => `RUN step ${index} \\\n  and "more" \\\n  # comment\n  still`,
  );
  const begin = performance.now();
  expect(parseDockerfile(['FROM scratch', ...lines].join('\n')).instructions).toHaveLength(20_001);
  expect(performance.now() - begin).toBeLessThan(3000);
});
