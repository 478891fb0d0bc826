import { readFileSync } from 'node:fs';
import { type Copy, DockerfileParser, type JSONInstruction } from 'dockerfile-ast';
import { describe, expect, it } from 'vitest';
import { parseSyntax } from '../../src/dockerfile/parse.ts';

// Why read-syntax.ts reads by itself. A case that fails here is a difference that dockerfile-ast has closed.

const ranges = (source: string) =>
  DockerfileParser.parse(source)
    .getInstructions()
    .map(
      (each) =>
        `${each.getInstruction()} ${each.getRange().start.line + 1}-${each.getRange().end.line + 1}`,
    );
const ours = (source: string) =>
  parseSyntax(source).nodes.map(({ name, line, endLine }) => `${name} ${line}-${endLine}`);

describe('dockerfile-ast differs from the engine', () => {
  it.each([
    'continuation',
    'continuation-at-end',
    'continuation-first-empty',
    'directive-after-unknown',
    'heredoc-names',
    'heredoc-that-is-none',
    'text',
    'vertical-space',
  ])('in the lines of %s', (name) => {
    const source = readFileSync(`fixtures/dockerfile/${name}/Dockerfile`, 'utf8');
    expect(ranges(source)).not.toEqual(ours(source));
  });

  it('in which flag it finds', () => {
    const [copy] = DockerfileParser.parse('COPY --chown=1:1 --from=build a b').getInstructions();
    expect((copy as Copy).getFromFlag()).toBeNull();
  });

  it('in the words of an exec form', () => {
    const [run] = DockerfileParser.parse('RUN ["a b", "c"]').getInstructions();
    const words = (run as JSONInstruction).getJSONStrings().map((each) => each.getJSONValue());
    expect(words).not.toEqual(['a b', 'c']);
  });
});

it('dockerfile-ast agrees in the common cases, so that it can point at words', () => {
  for (const name of ['basic', 'flags', 'heredocs', 'crlf', 'onbuild', 'env-and-label', 'words']) {
    const source = readFileSync(`fixtures/dockerfile/${name}/Dockerfile`, 'utf8');
    expect(ranges(source), name).toEqual(ours(source));
  }
});
